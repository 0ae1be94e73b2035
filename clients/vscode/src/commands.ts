import type { Row } from './core/rows';
import type { Activity } from './ui/activity';
import type { Daemon } from './ui/daemon';
import type { Drafts } from './ui/drafts';
import type { Hub } from './ui/hub';
import { menu, pause, resume, sync } from './ui/queue';
import type { Shower } from './ui/reviews';
import type { Tickets } from './ui/tickets';
import type { Verdicts } from './ui/verdicts';

/** What commands are carried out by. */
export interface Parts {
  readonly hub: Hub;
  readonly verdicts: Verdicts;
  readonly tickets: Tickets;
  readonly shower: Shower;
  readonly drafts: Drafts;
  readonly activity: Activity;
  readonly daemon: Daemon;
}

/** A command's work; it is given the line of a view that it was called on, if it was. */
export type Run = (row: Row | undefined) => Promise<void>;

/** Every command, as package.json has them. */
export function commandTable(parts: Parts): readonly (readonly [string, Run])[] {
  const { hub, verdicts, tickets, drafts, activity, daemon } = parts;
  return [
    ['operator.sync', () => sync(hub)],
    ['operator.pause', () => pause(hub)],
    ['operator.resume', () => resume(hub)],
    ['operator.menu', () => menu(hub)],
    ['operator.show', (row) => show(parts, row)],
    ['operator.approve', (row) => verdicts.approve(row?.review)],
    ['operator.reject', (row) => verdicts.reject(row?.review)],
    ['operator.answer', (row) => verdicts.answer(row?.review)],
    ['operator.launch', (row) => tickets.launch(row)],
    ['operator.focus', (row) => tickets.focus(row)],
    ['operator.prompt', (row) => tickets.prompt(row)],
    ['operator.interrupt', (row) => tickets.interrupt(row)],
    ['operator.stop', (row) => tickets.stop(row)],
    ['operator.retry', (row) => tickets.retry(row)],
    ['operator.cancel', (row) => tickets.cancel(row)],
    ['operator.done', (row) => tickets.done(row)],
    ['operator.openWorktree', (row) => tickets.openWorktree(row)],
    ['operator.openOnBoard', (row) => tickets.openOnBoard(row)],
    ['operator.changes', (row) => changes(parts, row)],
    ['operator.newTicket', () => tickets.create()],
    ['operator.newTicketFromSelection', () => tickets.createFromSelection()],
    ['operator.sendDraft', () => drafts.send()],
    ['operator.showActivity', () => activity.show()],
    ['operator.startDaemon', () => daemon.start()],
    ['operator.enterToken', () => daemon.enterToken()],
    ['operator.showLog', () => daemon.showLog()],
    ['operator.connect', () => Promise.resolve(hub.connect())],
    ['operator.installDaemon', () => daemon.installOnly()],
  ];
}

/** Opens what a line is about: its review, else its agent's terminal. */
async function show({ hub, shower, tickets }: Parts, row: Row | undefined): Promise<void> {
  if (row?.review !== undefined) {
    await shower.show(await hub.api.review(row.review));
  } else if (row?.live === true) {
    await tickets.focus(row);
  }
}

async function changes({ shower }: Parts, row: Row | undefined): Promise<void> {
  if (row?.agent !== undefined) {
    await shower.changes(row.agent, `${row.ticket} changes`);
  }
}
