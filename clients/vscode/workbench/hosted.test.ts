import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Editor } from './editor';
import { eventually, Place } from './place';

/** Agents in pty hosts, whose terminals the daemon feeds; and one of them opens by itself. */
const place = new Place('vscode');
const editor = new Editor(place, { 'operator.terminals.openOnLaunch': 'focus' });

before(async () => {
  await place.start();
  await place.api.pause();
  const script = ['say Here I am', 'think 1', 'say And waiting', 'hang forever'];
  place.ticket('TASK-7', 'TASK', 'Sit down', 'rehearsal', ...script);
  await editor.start();
  await editor.views();
});

after(async () => {
  await editor.shot('end');
  await editor.close();
  await place.close();
});

function shows(text: string): Promise<true> {
  return eventually(`the terminal shows ${text}`, async () =>
    (await editor.terminalText()).includes(text) ? true : undefined,
  );
}

test('a terminal opens on launch, takes keys, and outlives window and daemon', async () => {
  await editor.inline(editor.row('TASK-7 Sit down'), 'Launch Ticket');
  await shows('And waiting');
  assert.equal((await place.api.agent('TASK-7')).backend, 'vscode');
  await editor.shot('hosted');

  await editor.load();
  await shows('And waiting');
  await editor.shot('hosted after a reload');

  await place.kill();
  await editor.page.getByText('TASK-7 (offline)').first().waitFor();
  await place.start();
  await editor.statusBar('1 ▸ 0 ◆');
  await editor.page.getByText('TASK-7 (offline)').first().waitFor({ state: 'hidden' });
  await editor.page.locator('.terminal-wrapper.active .xterm-helper-textarea').first().focus();
  await editor.page.keyboard.press('Escape');
  await eventually('the agent was interrupted by a key', async () =>
    (await place.api.agent('TASK-7')).state.name === 'running' ? undefined : true,
  );
});
