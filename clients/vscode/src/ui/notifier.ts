import * as vscode from 'vscode';
import { NOTHING_TOLD, notice, sentence } from '../core/notices';
import type { ReviewView } from '../protocol';
import type { Hub } from './hub';
import { trying } from './say';
import type { Shower } from './reviews';
import type { Verdicts } from './verdicts';

/** Tells of what waits for a person: once, in the window that is looked at, several at once as one. */
export class Notifier implements vscode.Disposable {
  private told = NOTHING_TOLD;
  private readonly parts: vscode.Disposable;

  constructor(
    private readonly hub: Hub,
    private readonly shower: Shower,
    private readonly verdicts: Verdicts,
  ) {
    const look = (): void => {
      this.look();
    };
    this.parts = vscode.Disposable.from(hub.onDidChange(look), vscode.window.onDidChangeWindowState(look));
  }

  dispose(): void {
    this.parts.dispose();
  }

  private look(): void {
    const { world } = this.hub;
    if (world === undefined || !vscode.workspace.getConfiguration('operator').get<boolean>('notifications', true)) {
      return;
    }
    const [told, found] = notice(this.told, world.reviews, vscode.window.state.focused);
    this.told = told;
    switch (found?.kind) {
      case 'one':
        void trying(() => this.one(found.review));
        break;
      case 'many':
        void trying(() => many(found.count));
        break;
      case undefined:
        break;
    }
  }

  private async one(review: ReviewView): Promise<void> {
    const first = review.kind === 'question' ? 'Answer' : 'Approve';
    const chosen = await vscode.window.showInformationMessage(sentence(review), first, 'Reject', 'Show');
    switch (chosen) {
      case 'Answer':
        await this.verdicts.answer(review.id);
        break;
      case 'Approve':
        await this.verdicts.approve(review.id);
        break;
      case 'Reject':
        await this.verdicts.reject(review.id);
        break;
      case 'Show':
        await this.shower.show(review);
        break;
      case undefined:
        break;
    }
  }
}

async function many(count: number): Promise<void> {
  if ((await vscode.window.showInformationMessage(`${count} reviews wait for you.`, 'Show Them')) !== undefined) {
    await vscode.commands.executeCommand('operator.needs.focus');
  }
}
