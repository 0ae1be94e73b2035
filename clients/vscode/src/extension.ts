import * as vscode from 'vscode';
import { commandTable } from './commands';
import { isTable } from './core/parse';
import type { Row } from './core/rows';
import { Activity } from './ui/activity';
import { Daemon } from './ui/daemon';
import { Documents } from './ui/documents';
import { Drafts } from './ui/drafts';
import { Finder } from './ui/finder';
import { Hub } from './ui/hub';
import { Notifier } from './ui/notifier';
import { Shower } from './ui/reviews';
import { trying } from './ui/say';
import { Shown } from './ui/shown';
import { statusBar } from './ui/statusbar';
import { Terminals } from './ui/terminals';
import { Tickets } from './ui/tickets';
import { Trees } from './ui/trees';
import { Verdicts } from './ui/verdicts';

/** Puts the parts together. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Operator', { log: true });
  const finder = new Finder(context.secrets);
  const hub = new Hub(finder, log);
  const documents = new Documents();
  const drafts = new Drafts(hub, context.globalStorageUri);
  const shower = new Shower(hub, documents, context.globalStorageUri);
  const shown = new Shown(hub);
  const verdicts = new Verdicts(hub, shown, drafts);
  const terminals = new Terminals(hub, context.workspaceState, log);
  const tickets = new Tickets(hub, terminals, drafts);
  const daemon = new Daemon(context, hub, finder);
  const activity = new Activity(hub);
  const parts = [log, hub, documents, drafts, shown, terminals, daemon, activity];
  context.subscriptions.push(...parts, new Trees(hub), statusBar(hub), new Notifier(hub, shower, verdicts));

  const commands = commandTable({ hub, verdicts, tickets, shower, drafts, activity, daemon });
  for (const [name, run] of commands) {
    // Menus of an editor's title give a command what is no line of ours.
    const command = (given: unknown): Promise<void> => trying(() => run(isRow(given) ? given : undefined));
    context.subscriptions.push(vscode.commands.registerCommand(name, command));
  }
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (['url', 'stateDirectory'].some((name) => change.affectsConfiguration(`operator.${name}`))) {
        hub.connect();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => hub.connect()),
  );
  hub.connect();
}

function isRow(given: unknown): given is Row {
  return isTable(given) && typeof given['ticket'] === 'string' && typeof given['context'] === 'string';
}
