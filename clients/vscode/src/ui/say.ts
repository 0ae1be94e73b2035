import * as vscode from 'vscode';
import { told } from '../core/errors';
import { plain } from '../core/text';

/** Runs what a person asked for; a failure is said, with what can be done about it. */
export async function trying(what: () => Promise<void>): Promise<void> {
  try {
    await what();
  } catch (error) {
    if (!(error instanceof vscode.CancellationError)) {
      void vscode.window.showErrorMessage(plain(told(error), 500));
    }
  }
}

/** Says what came of it, without asking for anything. */
export function say(text: string): void {
  vscode.window.setStatusBarMessage(`$(pass) ${plain(text, 200)}`, 8_000);
}

/** While something is under way, a notification says so. */
export function busy<T>(title: string, work: () => Promise<T>): Thenable<T> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, work);
}
