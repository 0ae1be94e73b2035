import * as vscode from 'vscode';
import { aboutSelection } from '../core/drafts';
import { OperatorError, Refused, told } from '../core/errors';
import { typeIcon } from '../core/looks';
import { isLive, type Row } from '../core/rows';
import { plain } from '../core/text';
import type { TicketView } from '../protocol';
import type { Drafts } from './drafts';
import type { Hub } from './hub';
import { busy, say } from './say';
import type { Terminals } from './terminals';

const EVERYTHING = 1 << 16;

/** What people do to tickets and agents. A command without a line of a view asks which one is meant. */
export class Tickets {
  constructor(
    private readonly hub: Hub,
    private readonly terminals: Terminals,
    private readonly drafts: Drafts,
  ) {}

  async launch(row: Row | undefined): Promise<void> {
    const ticket = row?.ticket ?? (await this.chosen('Launch which ticket?', this.hub.certain.kanban.queue));
    if (ticket === undefined) {
      return;
    }
    const { api } = this.hub;
    const title = `Operator launches ${ticket}`;
    try {
      say(`${(await busy(title, () => api.launch(ticket, false))).agent_id} is launched.`);
    } catch (error) {
      const insists = error instanceof Refused && error.status === 409 && (await insisted(error));
      if (!insists) {
        throw error;
      }
      say(`${(await busy(title, () => api.launch(ticket, true))).agent_id} is launched.`);
    }
    this.hub.refresh();
  }

  async focus(row: Row | undefined): Promise<void> {
    const agent = row?.agent ?? (await this.agent('Open whose terminal?'));
    if (agent !== undefined) {
      await this.terminals.focus(agent);
    }
  }

  async prompt(row: Row | undefined): Promise<void> {
    const agent = row?.agent ?? (await this.agent('Prompt which agent?'));
    if (agent === undefined) {
      return;
    }
    const prompt = `It is typed into the terminal of ${agent} once the agent takes it.`;
    const text = await vscode.window.showInputBox({ title: 'Prompt', prompt, ignoreFocusOut: true });
    if (text?.trim()) {
      const given = await this.hub.api.prompt(agent, text);
      say(`The prompt for ${agent} is ${given.delivery}. ${given.reason}`);
    }
  }

  async stop(row: Row | undefined): Promise<void> {
    const agent = row?.agent ?? (await this.agent('Stop which agent?'));
    if (agent === undefined) {
      return;
    }
    const detail = 'Its processes are ended. Its worktree stays, and its ticket waits until somebody retries it.';
    if ((await vscode.window.showWarningMessage(`Stop ${agent}?`, { modal: true, detail }, 'Stop')) !== undefined) {
      const { api } = this.hub;
      await busy(`Operator stops ${agent}`, () => api.stop(agent));
      this.hub.refresh();
    }
  }

  async interrupt(row: Row | undefined): Promise<void> {
    const agent = row?.agent ?? (await this.agent('Interrupt which agent?'));
    if (agent !== undefined) {
      await this.hub.api.interrupt(agent);
      say(`The turn of ${agent} is interrupted.`);
    }
  }

  async openWorktree(row: Row | undefined): Promise<void> {
    const agent = row?.agent ?? (await this.agent('Open whose worktree?'));
    if (agent === undefined) {
      return;
    }
    const folder = (await this.hub.api.agent(agent)).worktree_path;
    if (folder === null) {
      throw new OperatorError(`${agent} has no worktree.`);
    }
    await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.file(folder), { forceNewWindow: true });
  }

  async retry(row: Row | undefined): Promise<void> {
    const ticket = row?.ticket ?? (await this.chosen('Retry which ticket?', this.hub.certain.kanban.done));
    if (ticket !== undefined) {
      await this.hub.api.act(ticket, 'retry');
      this.hub.refresh();
    }
  }

  async cancel(row: Row | undefined): Promise<void> {
    const { queue, running, awaiting } = this.hub.certain.kanban;
    const ticket = row?.ticket ?? (await this.chosen('Cancel which ticket?', [...awaiting, ...running, ...queue]));
    if (ticket === undefined) {
      return;
    }
    const detail = 'The ticket is given up. Its agent is stopped; its worktree stays.';
    const options = { modal: true, detail };
    if ((await vscode.window.showWarningMessage(`Cancel ${ticket}?`, options, 'Cancel Ticket')) !== undefined) {
      await this.hub.api.act(ticket, 'cancel');
      this.hub.refresh();
    }
  }

  async done(row: Row | undefined): Promise<void> {
    const { running, awaiting } = this.hub.certain.kanban;
    const ticket = row?.ticket ?? (await this.chosen('Which ticket is done?', [...awaiting, ...running]));
    if (ticket !== undefined) {
      await this.hub.api.act(ticket, 'done');
      this.hub.refresh();
    }
  }

  async openOnBoard(row: Row | undefined): Promise<void> {
    const ticket = row === undefined ? undefined : await this.hub.api.ticket(row.ticket);
    if (ticket?.url != null && /^https?:/i.test(ticket.url)) {
      await vscode.env.openExternal(vscode.Uri.parse(ticket.url, true));
    }
  }

  async create(): Promise<void> {
    const type = await this.type();
    if (type === undefined) {
      return;
    }
    const title = await vscode.window.showInputBox({ title: `A ${type} ticket`, prompt: 'Its title' });
    if (title?.trim()) {
      await this.drafts.ticket(type, title.trim(), '');
    }
  }

  async createFromSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const selected = editor?.document.getText(editor.selection).slice(0, EVERYTHING) ?? '';
    if (editor === undefined || selected.trim() === '') {
      throw new OperatorError('Nothing is selected.', 'Select what the ticket is about.');
    }
    const type = await this.type();
    if (type !== undefined) {
      const { document, selection } = editor;
      const name = vscode.workspace.asRelativePath(document.uri, false);
      const where = `${name}:${selection.start.line + 1}-${selection.end.line + 1}`;
      const { title, body } = aboutSelection(where, document.languageId, selected);
      await this.drafts.ticket(type, title, body);
    }
  }

  private async type(): Promise<string | undefined> {
    const { types } = this.hub.certain;
    const items = [...types.values()].map((each) => ({
      label: each.name,
      description: each.steps.join(' → '),
      iconPath: new vscode.ThemeIcon(typeIcon(each.name, types).id),
    }));
    return (await vscode.window.showQuickPick(items, { placeHolder: 'What kind of ticket?' }))?.label;
  }

  private async agent(question: string): Promise<string | undefined> {
    const live = [...this.hub.certain.agents.values()].filter(isLive);
    if (live.length === 0) {
      throw new OperatorError('No agent is at work.', 'Launch a ticket first.');
    }
    const items = live.map((each) => ({
      label: `${each.ticket_id} ${plain(each.title, 80)}`,
      description: `${each.state.name} · ${each.driver}`,
      agent: each.id,
    }));
    return (await vscode.window.showQuickPick(items, { placeHolder: question }))?.agent;
  }

  private async chosen(question: string, tickets: readonly TicketView[]): Promise<string | undefined> {
    if (tickets.length === 0) {
      throw new OperatorError('There is no such ticket.');
    }
    const items = tickets.map((each) => ({
      label: `${each.id} ${plain(each.title, 80)}`,
      description: `${each.type} · ${each.status}`,
      detail: each.reason === null ? '' : plain(each.reason),
      ticket: each.id,
    }));
    return (await vscode.window.showQuickPick(items, { placeHolder: question, matchOnDescription: true }))?.ticket;
  }
}

/** Beyond the caps a person may insist. */
async function insisted(refused: Refused): Promise<boolean> {
  const chosen = await vscode.window.showWarningMessage(plain(told(refused), 400), { modal: true }, 'Launch Anyway');
  return chosen !== undefined;
}

