import * as vscode from 'vscode';

export const SCHEME = 'operator';

/** Documents kept at most: more than a person has open. */
const MOST = 400;

/** Texts of the daemon's that editors show and nobody can change: plans, requests, sides of a diff. */
export class Documents implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changes = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);

  readonly onDidChange = this.changes.event;

  /** A document of this path, with this text from now on; `of` tells it from others of that path. */
  put(path: string, text: string, of = ''): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEME, path, query: of });
    const key = uri.toString();
    const before = this.texts.get(key);
    this.texts.delete(key);
    this.texts.set(key, text);
    const oldest = this.texts.keys().next().value;
    if (this.texts.size > MOST && oldest !== undefined) {
      this.texts.delete(oldest);
    }
    if (before !== undefined && before !== text) {
      this.changes.fire(uri);
    }
    return uri;
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? 'This is not known any more. Open it again from the Operator views.\n';
  }

  dispose(): void {
    this.registered.dispose();
    this.changes.dispose();
  }
}
