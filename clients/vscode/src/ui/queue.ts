import * as vscode from 'vscode';
import { plain } from '../core/text';
import type { Hub } from './hub';
import { say } from './say';

/** Reads all boards now. */
export async function sync(hub: Hub): Promise<void> {
  const { api } = hub;
  const title = 'Operator reads the boards';
  const found = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, api.sync);
  if (found.errors.length > 0) {
    void vscode.window.showWarningMessage(`Not everything was read. ${plain(found.errors.join(' '), 400)}`);
    return;
  }
  const told = `${found.created.length} new, ${found.updated.length} updated, ${found.closed.length} closed`;
  say(`Boards are read: ${told}.`);
}

/** Starts no more agents. */
export async function pause(hub: Hub): Promise<void> {
  say((await hub.api.pause()).message);
}

/** Starts agents again. */
export async function resume(hub: Hub): Promise<void> {
  say((await hub.api.resume()).message);
}

/** What the status bar offers. */
export async function menu(hub: Hub): Promise<void> {
  const paused = hub.world?.status.paused === true;
  const live = [
    ['Sync Kanban Collections', 'operator.sync', 'sync'],
    paused
      ? ['Resume Queue Processing', 'operator.resume', 'debug-start']
      : ['Pause Queue Processing', 'operator.pause', 'debug-pause'],
    ['Approve Review', 'operator.approve', 'check'],
    ['Reject Review', 'operator.reject', 'close'],
    ['New Ticket', 'operator.newTicket', 'add'],
    ['Show Activity', 'operator.showActivity', 'pulse'],
  ] as const;
  const dead = [
    ['Start the Daemon', 'operator.startDaemon', 'play'],
    ['Connect', 'operator.connect', 'plug'],
    ['Enter Token', 'operator.enterToken', 'key'],
    ["Show the Daemon's Log", 'operator.showLog', 'output'],
  ] as const;
  const items = (hub.world === undefined ? dead : live).map(([label, command, icon]) => ({
    label: `$(${icon}) ${label}`,
    command,
  }));
  const chosen = await vscode.window.showQuickPick(items, { placeHolder: 'Operator' });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}
