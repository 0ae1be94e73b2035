import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bar } from '../src/core/bar';
import { rows } from '../src/core/rows';
import { arrived, kept } from '../src/core/terminals';
import { agent, NOW, review, status, ticket, world } from './samples';

test('a review stands in what needs you, with its verdicts', () => {
  const feature = ticket('FEAT-1', { type: 'FEAT', status: 'awaiting', agent_id: 'FEAT-1~1' });
  const working = agent('FEAT-1~1', { ticket_type: 'FEAT' });
  const [row] = rows(world({ awaiting: [feature] }, [working], [review(7)]), NOW).needs;
  assert.equal(row?.label, 'FEAT-1 Title of FEAT-1');
  assert.equal(row.description, '◈ plan · 4 min');
  assert.deepEqual(row.icon, { id: 'sparkle', color: 'terminal.ansiCyan' });
  assert.equal(row.context, 'ticket review plan decidable agent worktree');
  assert.equal(row.review, 7);
});

test('a question is answered, not approved', () => {
  const asked = { text: 'Which one?', header: '', options: [], multiple: false };
  const asking = review(8, { kind: 'question', ticket_id: 'FIX-1', agent_id: 'FIX-1~1', questions: [asked] });
  const [row] = rows(world({ awaiting: [ticket('FIX-1', { type: 'FIX' })] }, [], [asking]), NOW).needs;
  assert.equal(row?.description, '◆ question · 4 min · Which one?');
  assert.match(row.context, /\bquestion\b/);
  assert.doesNotMatch(row.context, /\bdecidable\b/);
});

test('a ticket that waits without a review says what for', () => {
  const waiting = ticket('SPIKE-1', { type: 'SPIKE', status: 'awaiting', reason: 'a person drives' });
  const [row] = rows(world({ awaiting: [waiting] }), NOW).needs;
  assert.equal(row?.description, '◆ a person drives · 4 min');
  assert.equal(row.review, undefined);
});

test('what runs says its step, since when and by whom', () => {
  const running = ticket('TASK-1', { status: 'running', agent_id: 'TASK-1~1' });
  const [row] = rows(world({ running: [running] }, [agent('TASK-1~1')]), NOW).running;
  assert.equal(row?.description, '● build 2/4 · 4 min · claude');
  assert.ok(row.facts.some(([name, value]) => name === 'state' && value === 'running for 4 min (hook: PreToolUse)'));
});

test('what waits says why and until when', () => {
  const parked = ticket('FIX-2', { type: 'FIX', status: 'parked', reason: 'retry', until: '2026-11-25T12:00:40Z' });
  const [row] = rows(world({ queue: [parked] }), NOW).queue;
  assert.equal(row?.description, '‖ FIX · retry · in 40 s');
});

test('words of others make no icons, links or lines', () => {
  const hostile = ticket('TASK-9', { title: 'a\n$(flame) [x](command:y)\u202e' });
  const [row] = rows(world({ queue: [hostile] }), NOW).queue;
  assert.equal(row?.label, 'TASK-9 a $ (flame) [x] (command:y)');
});

test('an icon and a colour that no codicon and no theme has are not passed on', () => {
  const odd = { name: 'DOCS', mode: 'autonomous', color: 'puce', icon: '../x', rank: 5, steps: [] };
  const known = { ...world({ queue: [ticket('D-1', { type: 'DOCS' })] }), types: new Map([['DOCS', odd]]) };
  assert.deepEqual(rows(known, NOW).queue[0]?.icon, { id: 'circle-outline', color: undefined });
});

test('the status bar tells what runs, what waits and that it is paused', () => {
  const known = world({ running: [ticket('A'), ticket('B')], awaiting: [ticket('C')] });
  assert.equal(bar({ at: 'live' }, known).text, '$(server-process) Operator 2 ▸ 1 ◆');
  const paused = bar({ at: 'live' }, { ...known, status: status({ paused: true, pause_reason: 'lunch' }) });
  assert.equal(paused.text, '$(debug-pause) Operator paused 2 ▸ 1 ◆');
  assert.match(paused.tooltip, /^Paused: lunch\n/);
  assert.equal(bar({ at: 'waiting', failures: 1, why: 'gone', absent: true }, known).tooltip, 'gone');
});

test('an agent arrives when it can be looked at', () => {
  const map = (...each: ReturnType<typeof agent>[]): Map<string, ReturnType<typeof agent>> =>
    new Map(each.map((one) => [one.id, one]));
  const planned = agent('A~1', { phase: 'planned' });
  assert.deepEqual(arrived(map(), map(planned)), []);
  assert.deepEqual(arrived(map(planned), map(agent('A~1'))), ['A~1']);
  assert.deepEqual(arrived(map(agent('A~1')), map(agent('A~1'))), []);
});

test('only terminals are remembered', () => {
  const stored = [{ agent: 'A~1', pid: 5 }, { agent: 'B~1', pid: 6, column: 2 }, { agent: 7 }, null, 'x'];
  assert.deepEqual(kept(stored), [{ agent: 'A~1', pid: 5 }, { agent: 'B~1', pid: 6, column: 2 }]);
  assert.deepEqual(kept('nonsense'), []);
});
