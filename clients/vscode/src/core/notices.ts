/** Which reviews a person is told of, each once. Pure. */

import type { ReviewView } from '../protocol';
import { plain } from './text';

export type Notice =
  | { readonly kind: 'one'; readonly review: ReviewView }
  | { readonly kind: 'many'; readonly count: number };

export interface Told {
  /** Reviews that were told of and are still open. */
  readonly ids: ReadonlySet<number>;
}

export const NOTHING_TOLD: Told = { ids: new Set() };

/** What is to be told now. A window that nobody looks at tells nothing, and catches up when it is looked at. */
export function notice(told: Told, open: readonly ReviewView[], looked: boolean): readonly [Told, Notice | undefined] {
  const fresh = open.filter((each) => !told.ids.has(each.id));
  const still = open.filter((each) => told.ids.has(each.id)).map((each) => each.id);
  const first = fresh[0];
  if (!looked || first === undefined) {
    return [{ ids: new Set(still) }, undefined];
  }
  const ids = new Set([...still, ...fresh.map((each) => each.id)]);
  return [{ ids }, fresh.length === 1 ? { kind: 'one', review: first } : { kind: 'many', count: fresh.length }];
}

/** A review in one sentence. */
export function sentence(review: ReviewView): string {
  const who = review.ticket_id;
  switch (review.kind) {
    case 'plan':
      return `${who} has a plan: ${plain(review.title, 120)}`;
    case 'visual':
      return `${who} shows what it made: ${plain(review.title, 120)}`;
    case 'pr':
      return `${who} offers its branch: ${plain(review.title, 120)}`;
    case 'permission':
      return `${who} asks for permission: ${plain(review.command ?? review.title, 300)}`;
    default:
      return `${who} asks: ${plain(review.questions[0]?.text ?? review.title, 300)}`;
  }
}
