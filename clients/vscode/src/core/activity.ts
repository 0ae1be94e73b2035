/** Entries of the activity as lines. Pure. */

import type { EventView } from '../protocol';
import { plain } from './text';

const SAYING = ['reason', 'why', 'title', 'evidence', 'message', 'error'];

export function line(event: EventView): string {
  const what = SAYING.map((name) => event.data[name]).find((each) => typeof each === 'string' && each !== '');
  const who = event.agent ?? event.ticket ?? '';
  const parts = [event.at.slice(0, 19).replace('T', ' '), event.kind.padEnd(20), who.padEnd(12)];
  return `${parts.join('  ')}  ${typeof what === 'string' ? plain(what, 200) : ''}`.trimEnd();
}
