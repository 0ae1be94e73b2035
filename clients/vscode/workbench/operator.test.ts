import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { after, before, test as plainTest } from 'node:test';
import type { ReviewView } from '../src/protocol';
import { Editor } from './editor';
import { eventually, Place } from './place';

const place = new Place();
const editor = new Editor(place);

let broken = false;

/** One after the other on one Operator: after the first that fails the others would only fail, too. */
function test(name: string, run: () => Promise<void>): void {
  plainTest(name, async (context) => {
    if (broken) {
      context.skip('an earlier one failed');
      return;
    }
    broken = true;
    await run();
    broken = false;
  });
}

const FEATURE = [
  'step plan: write .operator/plan.md # A first plan\\n\\n1. A module.\\n2. Its proof.',
  'step plan: say It is in A first plan',
  'redo plan: write .operator/plan.md # A better plan\\n\\n1. Politely.',
  'step build: write french.py GREETING = "Bonjour"\\n',
  'step build: append greeter.py \\n# and in French\\n',
  'step build: commit Greet in French',
  'step show: write .operator/show/greeting.txt Bonjour, Ada!',
  'step offer: write .operator/summary.md It is done.',
];

const REASON = 'More politely, please.\n\nAnd shorter.';

before(async () => {
  await place.start();
  await place.api.pause();
  place.ticket('FEAT-1', 'FEAT', 'Greet in French', 'rehearsal', ...FEATURE);
  await editor.start();
  await editor.views();
});

after(async () => {
  await editor.shot('end');
  await editor.close();
  await place.close();
});

function pending(kind: string, ticket: string): Promise<ReviewView> {
  return eventually(`a ${kind} of ${ticket}`, async () =>
    (await place.api.pendingReviews()).reviews.find((each) => each.kind === kind && each.ticket_id === ticket),
  );
}

function decided(id: number): Promise<ReviewView> {
  return eventually(`review ${id} is decided`, async () => {
    const review = await place.api.review(id);
    return review.status === 'pending' ? undefined : review;
  });
}

test('the views show the queue in the colours of its types', async () => {
  const row = editor.row('FEAT-1 Greet in French');
  await row.waitFor();
  assert.equal(await row.locator('.codicon-sparkle').count(), 1);
  await editor.statusBar('Operator paused 0 ▸ 0 ◆');
  await editor.shot('queue');
});

test('Operator: Sync Kanban Collections', async () => {
  const synced = async (): Promise<string | null | undefined> => (await place.api.status()).collections[0]?.last_sync;
  const earlier = await synced();
  await editor.palette('Operator: Sync Kanban Collections');
  await eventually('another sync', async () => ((await synced()) === earlier ? undefined : true));
});

test('a ticket is launched from its line, and its terminal is opened', async () => {
  await editor.inline(editor.row('FEAT-1 Greet in French'), 'Launch Ticket');
  const review = await pending('plan', 'FEAT-1');
  assert.match(review.plan ?? '', /A first plan/);
  await editor.toast('FEAT-1 has a plan').waitFor();
  await editor.row('◈ plan').waitFor();
  await editor.shot('a plan waits');
  await editor.inline(editor.row('◈ plan'), "Open Agent's Terminal");
  
  await eventually('the terminal shows the plan', async () =>
    (await editor.terminalText()).includes('A first plan') ? true : undefined,
  );
  await editor.shot('terminal');
});

test('a plan is read in a preview, and rejected from its line', async () => {
  const review = await pending('plan', 'FEAT-1');
  await editor.row('FEAT-1').click();
  await editor.page.locator(`.tab[aria-label*="FEAT-1 plan ${review.id}"]`).first().waitFor();
  await editor.page.locator('.editor-actions .action-label[aria-label^="Approve Review"]').first().waitFor();
  await editor.shot('plan');
  await editor.inline(editor.row('FEAT-1'), 'Reject Review');
  await editor.page.locator('.editor-actions .action-label[aria-label^="Send"]').first().waitFor();
  await editor.page.keyboard.insertText(REASON);
  await editor.shot('reason');
  await editor.page.locator('.editor-actions .action-label[aria-label^="Send"]').first().click();
  const after = await decided(review.id);
  assert.deepEqual([after.status, after.reason], ['rejected', REASON]);
});

test('the next plan is approved by its notification', async () => {
  const review = await eventually('the better plan', async () => {
    const found = await pending('plan', 'FEAT-1');
    return found.plan?.includes('A better plan') === true ? found : undefined;
  });
  const toast = editor.toast('FEAT-1 has a plan: A better plan');
  await toast.waitFor();
  await editor.shot('notification');
  await toast.getByText('Approve', { exact: true }).click();
  assert.equal((await decided(review.id)).status, 'approved');
});

test('Operator: Approve Review', async () => {
  const review = await pending('visual', 'FEAT-1');
  await editor.row('visual').click();
  await editor.page.locator('.editor-actions .action-label[aria-label^="Approve Review"]').first().waitFor();
  await editor.shot('shown');
  await editor.palette('Operator: Approve Review');
  assert.equal((await decided(review.id)).status, 'approved');
});

test('Operator: Reject Review', async () => {
  const review = await pending('pr', 'FEAT-1');
  await editor.row('◈ pr').click();
  await editor.page.locator('.multiDiffEntry').nth(1).waitFor();
  await editor.shot('changes');
  await editor.palette('Operator: Reject Review');
  await editor.page.locator('.editor-actions .action-label[aria-label^="Send"]').first().waitFor();
  await editor.page.keyboard.type('Without the comment.');
  await editor.palette('Operator: Reject Review');
  const after = await decided(review.id);
  assert.deepEqual([after.status, after.reason], ['rejected', 'Without the comment.']);
});

test('Operator: Resume Queue Processing', async () => {
  assert.equal((await place.api.status()).paused, true);
  await editor.palette('Operator: Resume Queue Processing');
  await eventually('resumed', async () => ((await place.api.status()).paused ? undefined : true));
  await eventually('the rejected branch is taken up again', async () =>
    (await place.api.ticket('FEAT-1')).agent_id === 'FEAT-1~2' ? true : undefined,
  );
});

test('Operator: Pause Queue Processing', async () => {
  await editor.palette('Operator: Pause Queue Processing');
  await eventually('paused', async () => ((await place.api.status()).paused ? true : undefined));
  await editor.statusBar('Operator paused');
});

test('a permission is asked for by a notification, and given by it', async () => {
  place.ticket('TASK-1', 'TASK', 'Tidy up', 'asking', 'permission echo allowed > proof.txt', 'think 600');
  await editor.row('TASK-1 Tidy up').waitFor();
  await editor.palette('Operator: Launch Ticket');
  await editor.choice('TASK-1').click();
  const toast = editor.toast('TASK-1 asks for permission: echo allowed > proof.txt');
  await toast.waitFor();
  await editor.shot('permission');
  await toast.getByText('Approve', { exact: true }).click();
  const worktree = (await place.api.agent('TASK-1')).worktree_path ?? '';
  await eventually('the command has run', () =>
    Promise.resolve(readOrNot(path.join(worktree, 'proof.txt')) === 'allowed\n' ? true : undefined),
  );
});

test('a terminal comes back when the window is loaded again, once', async () => {
  await editor.palette("Operator: Open Agent's Terminal");
  await editor.choice('TASK-1').click();
  const shown = (): Promise<true> =>
    eventually('the terminal shows the agent', async () =>
      (await editor.terminalText()).includes('allowed') ? true : undefined,
    );
  await shown();
  await editor.load();
  await shown();
  const tabs = editor.page.locator('.terminal-tabs-entry, .single-terminal-tab', { hasText: 'TASK-1' });
  assert.equal(await tabs.count(), 1);
  await editor.shot('reloaded');
});

function readOrNot(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // not there yet
  }
}
