import * as vscode from 'vscode';
import { LONGEST, rows, SECTIONS, type Row, type Section } from '../core/rows';
import type { Hub } from './hub';

/** Milliseconds after which times are told anew. */
const TICK = 20_000;

/** The four views. What a line does when it is clicked is the same everywhere: it shows what the ticket is about. */
export class Trees implements vscode.Disposable {
  private readonly views: readonly View[];
  private readonly parts: vscode.Disposable[];

  constructor(private readonly hub: Hub) {
    this.views = SECTIONS.map((section) => new View(section));
    const ticking = setInterval(() => {
      this.show();
    }, TICK);
    this.parts = [hub.onDidChange(() => this.show()), new vscode.Disposable(() => clearInterval(ticking))];
  }

  dispose(): void {
    vscode.Disposable.from(...this.views, ...this.parts).dispose();
  }

  private show(): void {
    const { world } = this.hub;
    const found = world === undefined ? undefined : rows(world, Date.now());
    for (const view of this.views) {
      view.show(found?.[view.section]);
    }
  }
}

class View implements vscode.TreeDataProvider<Row>, vscode.Disposable {
  private readonly changes = new vscode.EventEmitter<void>();
  private readonly view: vscode.TreeView<Row>;
  private rows: readonly Row[] = [];
  private shown = '';

  readonly onDidChangeTreeData = this.changes.event;

  constructor(readonly section: Section) {
    this.view = vscode.window.createTreeView(`operator.${section}`, { treeDataProvider: this });
  }

  /** Undefined: nothing is known, and the view says why. */
  show(found: readonly Row[] | undefined): void {
    const told = JSON.stringify(found ?? null);
    if (told === this.shown) {
      return;
    }
    this.shown = told;
    this.rows = found ?? [];
    if (this.section === 'needs') {
      const count = this.rows.length;
      this.view.badge = count === 0 ? undefined : { value: count, tooltip: `${count} waiting for you` };
    }
    this.view.description = this.rows.length === 0 ? '' : String(this.rows.length);
    if (this.rows.length >= LONGEST) {
      this.view.description = `the first ${LONGEST}`;
    }
    this.changes.fire();
  }

  getChildren(row?: Row): Row[] {
    return row === undefined ? [...this.rows] : [];
  }

  getTreeItem(row: Row): vscode.TreeItem {
    const item = new vscode.TreeItem(row.label);
    item.id = row.id;
    item.description = row.description;
    item.tooltip = tooltip(row);
    item.iconPath = icon(row);
    item.contextValue = row.context;
    item.accessibilityInformation = { label: `${row.label}, ${row.description}` };
    item.command = { command: 'operator.show', title: 'Show', arguments: [row] };
    return item;
  }

  dispose(): void {
    vscode.Disposable.from(this.view, this.changes).dispose();
  }
}

function icon(row: Row): vscode.ThemeIcon {
  const { id, color } = row.icon;
  return color === undefined ? new vscode.ThemeIcon(id) : new vscode.ThemeIcon(id, new vscode.ThemeColor(color));
}

/** What others wrote is text in it, and never Markdown. */
function tooltip(row: Row): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown('**').appendText(row.label).appendMarkdown('**\n\n');
  for (const [name, value] of row.facts) {
    text.appendMarkdown(`*${name}* `).appendText(value.slice(0, 1000)).appendMarkdown('  \n');
  }
  return text;
}
