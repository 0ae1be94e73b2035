import type { EventView } from '../protocol';
import { BadAnswer } from './errors';
import { isTable, parse } from './parse';

/** One frame of the activity's stream. */
export type Frame =
  | { readonly kind: 'hello'; readonly epoch: string; readonly head: number }
  | { readonly kind: 'gap' }
  | { readonly kind: 'events'; readonly events: readonly EventView[] };

export const PROTOCOL = 1;

/** Throws BadAnswer. A frame of a kind that is not known has no entries. */
export function frame(text: string): Frame {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new BadAnswer('The stream sends what is no JSON.');
  }
  if (!isTable(data)) {
    throw new BadAnswer('The stream sends what is no table.');
  }
  if ('hello' in data) {
    return hello(data['hello']);
  }
  if ('gap' in data) {
    return { kind: 'gap' };
  }
  const events = Array.isArray(data['events']) ? data['events'] : [];
  return { kind: 'events', events: events.map((each: unknown) => parse('EventView', each)) };
}

function hello(given: unknown): Frame {
  if (!isTable(given) || typeof given['epoch'] !== 'string' || typeof given['head'] !== 'number') {
    throw new BadAnswer('The stream does not greet as a daemon does.');
  }
  if (given['protocol'] !== PROTOCOL) {
    const theirs = String(given['protocol']);
    const message = `The daemon's stream speaks version ${theirs}, this extension ${PROTOCOL}.`;
    throw new BadAnswer(message, 'Update the older one.');
  }
  return { kind: 'hello', epoch: given['epoch'], head: given['head'] };
}
