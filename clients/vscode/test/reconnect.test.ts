import assert from 'node:assert/strict';
import { test } from 'node:test';
import { delay, LONGEST_DELAY, step, type Event, type State } from '../src/core/reconnect';

const BROKE: Event = { kind: 'broke', why: 'gone', absent: false };

function after(...events: Event[]): State {
  return events.reduce<State>((state, event) => step(state, event, 0)[0], { at: 'stopped' });
}

test('a connection is found, opened and live', () => {
  assert.deepEqual(after({ kind: 'begin' }), { at: 'seeking', failures: 0 });
  assert.deepEqual(after({ kind: 'begin' }, { kind: 'found' }), { at: 'opening', failures: 0 });
  assert.deepEqual(after({ kind: 'begin' }, { kind: 'found' }, { kind: 'opened' }), { at: 'live' });
});

test('what breaks is tried again, ever later, up to a limit', () => {
  const waits: number[] = [];
  let state: State = { at: 'seeking', failures: 0 };
  for (let n = 0; n < 40; n += 1) {
    const [waiting, effects] = step(state, BROKE, 0);
    waits.push(...effects.flatMap((each) => (each.kind === 'wait' ? [each.ms] : [])));
    [state] = step(waiting, { kind: 'due' }, 0);
  }
  assert.deepEqual(waits.slice(0, 6), [100, 200, 400, 800, 1600, 2000]);
  assert.equal(waits.at(-1), LONGEST_DELAY);
});

test('jitter takes off at most half', () => {
  assert.equal(delay(3, 0), 400);
  assert.equal(delay(3, 1), 200);
});

test('a connection that had been live begins with the shortest wait', () => {
  const live = after({ kind: 'begin' }, BROKE, { kind: 'due' }, { kind: 'found' }, { kind: 'opened' });
  const [state, effects] = step(live, BROKE, 0);
  assert.deepEqual(state, { at: 'waiting', failures: 1, why: 'gone', absent: false });
  assert.deepEqual(effects, [{ kind: 'drop' }, { kind: 'wait', ms: 100 }]);
});

test('a wrong token is not tried again until a person acts', () => {
  const refused = after({ kind: 'begin' }, { kind: 'unauthorized', why: 'no' });
  assert.equal(refused.at, 'refused');
  for (const event of [{ kind: 'due' }, BROKE, { kind: 'opened' }, { kind: 'found' }] as const) {
    assert.deepEqual(step(refused, event, 0), [refused, []]);
  }
  assert.equal(step(refused, { kind: 'begin' }, 0)[0].at, 'seeking');
});

test('what comes late changes nothing', () => {
  const waiting = after({ kind: 'begin' }, BROKE);
  for (const event of [BROKE, { kind: 'opened' }, { kind: 'found' }] as const) {
    assert.deepEqual(step(waiting, event, 0), [waiting, []]);
  }
  assert.deepEqual(step(after({ kind: 'stop' }), { kind: 'due' }, 0)[0], { at: 'stopped' });
});
