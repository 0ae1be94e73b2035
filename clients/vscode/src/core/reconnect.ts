/** The life of the connection to a daemon, as a pure state machine: it says what to do, and does nothing. */

import { never } from './errors';

export type State =
  /** It is looked for, and asked how it is. */
  | { readonly at: 'seeking'; readonly failures: number }
  /** The stream's handshake is under way. */
  | { readonly at: 'opening'; readonly failures: number }
  | { readonly at: 'live' }
  /** It is tried again after a while. */
  | { readonly at: 'waiting'; readonly failures: number; readonly why: string; readonly absent: boolean }
  /** The daemon wants another token: a person has to act. */
  | { readonly at: 'refused'; readonly why: string }
  | { readonly at: 'stopped' };

export type Event =
  | { readonly kind: 'begin' }
  | { readonly kind: 'found' }
  | { readonly kind: 'opened' }
  /** `absent`: there is no daemon; else the connection failed or broke. */
  | { readonly kind: 'broke'; readonly why: string; readonly absent: boolean }
  | { readonly kind: 'unauthorized'; readonly why: string }
  | { readonly kind: 'due' }
  | { readonly kind: 'stop' };

export type Effect =
  | { readonly kind: 'seek' }
  | { readonly kind: 'open' }
  | { readonly kind: 'wait'; readonly ms: number }
  /** Lets go of stream and timer, whichever there is. */
  | { readonly kind: 'drop' };

export type Step = readonly [State, readonly Effect[]];

export const FIRST_DELAY = 100;
export const LONGEST_DELAY = 2_000;

const DROP: Effect = { kind: 'drop' };

/** Milliseconds until the next try; `jitter` in 0..1 takes off up to half. */
export function delay(failures: number, jitter: number): number {
  const longest = Math.min(FIRST_DELAY * 2 ** Math.min(failures - 1, 16), LONGEST_DELAY);
  return Math.round(longest * (1 - jitter / 2));
}

/** What follows from an event. Events that a state does not expect are of the past, and change nothing. */
export function step(state: State, event: Event, jitter: number): Step {
  switch (event.kind) {
    case 'stop':
      return [{ at: 'stopped' }, [DROP]];
    case 'begin':
      return [{ at: 'seeking', failures: 0 }, [DROP, { kind: 'seek' }]];
    case 'found':
      return state.at === 'seeking' ? [{ at: 'opening', failures: state.failures }, [{ kind: 'open' }]] : [state, []];
    case 'opened':
      return state.at === 'opening' ? [{ at: 'live' }, []] : [state, []];
    case 'due':
      return state.at === 'waiting' ? [{ at: 'seeking', failures: state.failures }, [{ kind: 'seek' }]] : [state, []];
    case 'unauthorized':
      return connecting(state) ? [{ at: 'refused', why: event.why }, [DROP]] : [state, []];
    case 'broke':
      return connecting(state) ? broken(state, event.why, event.absent, jitter) : [state, []];
    default:
      return never(event);
  }
}

function connecting(state: State): boolean {
  return state.at === 'seeking' || state.at === 'opening' || state.at === 'live';
}

function broken(state: State, why: string, absent: boolean, jitter: number): Step {
  const failures = 'failures' in state ? state.failures + 1 : 1;
  return [{ at: 'waiting', failures, why, absent }, [DROP, { kind: 'wait', ms: delay(failures, jitter) }]];
}
