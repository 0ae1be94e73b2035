import * as vscode from 'vscode';
import * as drafts from '../core/drafts';
import { OperatorError } from '../core/errors';
import type { ReviewView } from '../protocol';
import type { Hub } from './hub';
import { say } from './say';

/** Reasons and tickets are written in editors. They are files until they are sent: a window that closes loses none. */
export class Drafts implements vscode.Disposable {
  private readonly parts: vscode.Disposable;
  private readonly folder: vscode.Uri;

  constructor(
    private readonly hub: Hub,
    storage: vscode.Uri,
  ) {
    this.folder = vscode.Uri.joinPath(storage, 'drafts');
    const tell = (editor: vscode.TextEditor | undefined): void => {
      const kind = editor === undefined ? undefined : this.of(editor.document)?.kind;
      void vscode.commands.executeCommand('setContext', 'operator.draft', kind ?? '');
    };
    tell(vscode.window.activeTextEditor);
    this.parts = vscode.window.onDidChangeActiveTextEditor(tell);
  }

  dispose(): void {
    this.parts.dispose();
  }

  /** Opens an editor for the reason of a rejection. */
  async reject(review: ReviewView): Promise<void> {
    const name = drafts.fileName({ kind: 'reject', review: review.id, agent: review.agent_id }, '');
    await this.open(name, drafts.reasonText(review.ticket_id, review.kind, review.title), 0);
  }

  /** Opens an editor for a new ticket. */
  async ticket(type: string, title: string, body: string): Promise<void> {
    const name = drafts.fileName({ kind: 'ticket', type }, Date.now().toString(36));
    await this.open(name, drafts.ticketText(type, title, body), 0);
  }

  /** What is being written in the active editor, if that is a draft of ours. */
  get active(): drafts.Draft | undefined {
    const editor = vscode.window.activeTextEditor;
    return editor === undefined ? undefined : this.of(editor.document);
  }

  /** Sends the draft in the active editor, and closes it. It stays as it is when the daemon refuses. */
  async send(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const draft = editor === undefined ? undefined : this.of(editor.document);
    if (editor === undefined || draft === undefined) {
      throw new OperatorError('The active editor holds nothing to send.');
    }
    const { document } = editor;
    say(await this.sent(draft, document.getText()));
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    await vscode.workspace.fs.delete(document.uri);
    this.hub.refresh();
  }

  private async sent(draft: drafts.Draft, text: string): Promise<string> {
    switch (draft.kind) {
      case 'reject': {
        const reason = drafts.reason(text);
        if (reason === '') {
          throw new OperatorError('A rejection needs a reason.', 'Write it above the comment.');
        }
        return (await this.hub.api.reject(draft.agent, draft.review, reason)).message;
      }
      case 'ticket': {
        const ticket = drafts.ticket(text);
        if (ticket === undefined) {
          throw new OperatorError('A ticket needs a title.', 'Write it behind the # in the first line.');
        }
        const made = await this.hub.api.create({ ...ticket, type: draft.type });
        return `${made.id} is created.`;
      }
    }
  }

  private of(document: vscode.TextDocument): drafts.Draft | undefined {
    const { uri } = document;
    const inFolder = uri.scheme === this.folder.scheme && uri.path.startsWith(`${this.folder.path}/`);
    return inFolder ? drafts.draftOf(uri.path.slice(this.folder.path.length + 1)) : undefined;
  }

  /** A draft that is there already goes on as it was left. */
  private async open(name: string, text: string, line: number): Promise<void> {
    const uri = vscode.Uri.joinPath(this.folder, name);
    try {
      await vscode.workspace.fs.stat(uri);
    } catch {
      await vscode.workspace.fs.writeFile(uri, Buffer.from(text));
    }
    const document = await vscode.workspace.openTextDocument(uri);
    const editor = await vscode.window.showTextDocument(document, { preview: false });
    const end = document.lineAt(line).range.end;
    editor.selection = new vscode.Selection(end, end);
  }
}
