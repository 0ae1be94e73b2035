import * as vscode from 'vscode';
import { OperatorError } from '../core/errors';
import { sentence } from '../core/notices';
import { human, plain } from '../core/text';
import type { QuestionView, ReviewView } from '../protocol';
import type { Drafts } from './drafts';
import type { Hub } from './hub';
import type { Shown } from './shown';
import { say } from './say';

/** Takes what a person decides to the daemon. */
export class Verdicts {
  constructor(
    private readonly hub: Hub,
    private readonly shown: Shown,
    private readonly drafts: Drafts,
  ) {}

  /** Approves the named review, else the one that the active editor shows, else one that is chosen. */
  async approve(id: number | undefined): Promise<void> {
    const review = await this.meant(id, 'Approve', (each) => each.kind !== 'question');
    if (review === undefined) {
      return;
    }
    if (review.kind === 'question') {
      await this.answer(review.id);
      return;
    }
    say((await this.hub.api.approve(review.agent_id, review.id)).message);
    this.hub.refresh();
  }

  /** Asks for the reason in an editor. In such an editor, sends what is written there. */
  async reject(id: number | undefined): Promise<void> {
    if (id === undefined && this.drafts.active?.kind === 'reject') {
      await this.drafts.send();
      return;
    }
    const review = await this.meant(id, 'Reject', () => true);
    if (review !== undefined) {
      await this.drafts.reject(review);
    }
  }

  /** Asks each of a review's questions, and answers when all of them are. */
  async answer(id: number | undefined): Promise<void> {
    const review = await this.meant(id, 'Answer', (each) => each.kind === 'question');
    if (review === undefined) {
      return;
    }
    const answers: Record<string, string> = {};
    for (const question of review.questions) {
      const given = await asked(question);
      if (given === undefined) {
        return;
      }
      answers[question.text] = given;
    }
    say((await this.hub.api.answer(review.agent_id, review.id, answers)).message);
    this.hub.refresh();
  }

  private async meant(
    id: number | undefined,
    verb: string,
    fits: (review: ReviewView) => boolean,
  ): Promise<ReviewView | undefined> {
    if (id !== undefined) {
      return this.hub.api.review(id);
    }
    const { shown } = this;
    if (shown.review !== undefined && fits(shown.review)) {
      return shown.review;
    }
    const open = (await this.hub.api.pendingReviews()).reviews.filter(fits);
    if (open.length === 0) {
      throw new OperatorError(`There is no review to ${verb.toLowerCase()}.`);
    }
    const items = open.map((review) => ({
      label: plain(sentence(review), 120),
      description: `${review.kind} · ${human(review.waited)}`,
      detail: review.command === null ? '' : plain(review.command, 300),
      review,
    }));
    const chosen = await vscode.window.showQuickPick(items, {
      placeHolder: `${verb} which review?`,
      matchOnDescription: true,
    });
    return chosen?.review;
  }
}

const OWN = 'Something else…';

async function asked(question: QuestionView): Promise<string | undefined> {
  const title = plain(question.header || 'Question');
  const prompt = plain(question.text, 400);
  const items = question.options.map((each) => ({
    label: plain(each.label),
    detail: plain(each.description),
    value: each.label,
  }));
  const options = { title, placeHolder: prompt, ignoreFocusOut: true };
  if (question.multiple) {
    const chosen = await vscode.window.showQuickPick(items, { ...options, canPickMany: true });
    return chosen === undefined || chosen.length === 0 ? undefined : chosen.map((each) => each.value).join(', ');
  }
  if (items.length > 0) {
    const chosen = await vscode.window.showQuickPick([...items, { label: OWN, detail: '', value: '' }], options);
    if (chosen === undefined || chosen.value !== '') {
      return chosen?.value;
    }
  }
  const written = await vscode.window.showInputBox({ title, prompt, ignoreFocusOut: true });
  return written?.trim() === '' ? undefined : written;
}
