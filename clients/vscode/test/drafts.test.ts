import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as drafts from '../src/core/drafts';
import { NOTHING_TOLD, notice, sentence } from '../src/core/notices';
import { shownReview } from '../src/core/tabs';
import { review } from './samples';

test('the name of a draft says what it is', () => {
  for (const draft of [
    { kind: 'reject', review: 31, agent: 'FEAT-1~1' },
    { kind: 'ticket', type: 'My ticket/é' },
  ] as const) {
    const name = drafts.fileName(draft, 'x');
    assert.doesNotMatch(name, /[/\\]/);
    assert.deepEqual(drafts.draftOf(name), draft);
  }
  assert.equal(drafts.draftOf('notes.md'), undefined);
  assert.equal(drafts.draftOf('Reject review x of y.md'), undefined);
  assert.equal(drafts.draftOf('New %E0%A4%A ticket 1.md'), undefined);
});

test('a reason is what stands outside of the comment', () => {
  const text = drafts.reasonText('FEAT-1', 'plan', 'sneaky --> end');
  assert.equal(drafts.reason(text), '');
  assert.equal(drafts.reason(`Keep the old format.${text}`), 'Keep the old format.');
});

test('a ticket is its first line and the rest', () => {
  const text = drafts.ticketText('FIX', 'It crashes', '');
  const made = drafts.ticket(text);
  assert.equal(made?.title, 'It crashes');
  assert.match(made.body, /^What happens:/);
  assert.equal(drafts.ticket('#  \n<!-- nothing -->'), undefined);
});

test('a ticket about a selection holds it as it is', () => {
  const { title, body } = drafts.aboutSelection('a.py:3-4', 'python', '\n  x = "```"\n');
  assert.equal(title, 'x = "```"');
  assert.ok(body.includes('````python\n\n  x = "```"\n\n````'), body);
});

test('each review is told of once, in a window that is looked at', () => {
  const [first, told] = notice(NOTHING_TOLD, [review(1)], true);
  assert.deepEqual(told, { kind: 'one', review: review(1) });
  assert.equal(notice(first, [review(1)], true)[1], undefined);
  const [away, quiet] = notice(first, [review(1), review(2), review(3)], false);
  assert.equal(quiet, undefined);
  assert.deepEqual(notice(away, [review(1), review(2), review(3)], true)[1], { kind: 'many', count: 2 });
});

test('a sentence makes no link', () => {
  const asked = review(1, { kind: 'permission', command: 'echo [a](command:b)\nrm -rf /' });
  assert.equal(sentence(asked), 'FEAT-1 asks for permission: echo [a] (command:b) rm -rf /');
});

test('a review is known by its tab', () => {
  const open = [review(3), review(31)];
  assert.equal(shownReview('Preview FEAT-1 plan 31.md', undefined, open)?.id, 31);
  assert.equal(shownReview('FEAT-1 plan 3', undefined, open)?.id, 3);
  assert.equal(shownReview('FEAT-1 plan 31 (2 files)', undefined, open)?.id, 31);
  assert.equal(shownReview('a.png', '/s/artifacts/31/a.png', open)?.id, 31);
  assert.equal(shownReview('FEAT-1 plan 311', '/s/artifacts/311/a.png', open), undefined);
});
