/** Which terminals are to be there. Pure. */

import type { AgentView } from '../protocol';
import { isTable } from './parse';
import { isLive } from './rows';

/** A terminal that was open when the window went. */
export interface Saved {
  readonly agent: string;
  /** Of its process, by which it is known again; 0: unknown. */
  readonly pid: number;
  /** Of the editor area; undefined: it was in the panel. */
  readonly column?: number;
}

const MOST = 100;

/** What a memento holds, without what somebody else may have put there. */
export function kept(stored: unknown): Saved[] {
  const found: Saved[] = [];
  for (const each of Array.isArray(stored) ? stored.slice(0, MOST) : []) {
    if (isTable(each) && typeof each['agent'] === 'string' && typeof each['pid'] === 'number') {
      const column = each['column'];
      found.push({ agent: each['agent'], pid: each['pid'], ...(typeof column === 'number' ? { column } : {}) });
    }
  }
  return found;
}

/** The agents that can be looked at now, and could not before. */
export function arrived(before: ReadonlyMap<string, AgentView>, now: ReadonlyMap<string, AgentView>): string[] {
  return [...now.values()].filter((each) => isLive(each) && !isLive(before.get(each.id))).map((each) => each.id);
}
