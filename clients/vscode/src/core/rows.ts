/** From what the daemon says to what the views show. Pure. */

import type { AgentView, ReviewView, TicketView } from '../protocol';
import { mark, typeIcon, type Icon } from './looks';
import { joined, plain, since, until } from './text';
import type { World } from './world';

export type Section = 'needs' | 'running' | 'queue' | 'done';

export const SECTIONS: readonly Section[] = ['needs', 'running', 'queue', 'done'];

/** One line of a view. */
export interface Row {
  readonly id: string;
  readonly ticket: string;
  readonly agent: string | undefined;
  /** The review that it is about. */
  readonly review: number | undefined;
  /** Whether the agent has a terminal to sit down at. */
  readonly live: boolean;
  readonly worktree: string | undefined;
  readonly label: string;
  readonly description: string;
  /** Lines of the tooltip: a name and what there is to say. */
  readonly facts: readonly (readonly [string, string])[];
  readonly icon: Icon;
  /** Words that menus look for. */
  readonly context: string;
}

export type Rows = Readonly<Record<Section, readonly Row[]>>;

/** Lines that a view shows at most; the daemon shows no more of the queue either. */
export const LONGEST = 500;

export function rows(world: World, now: number): Rows {
  return {
    needs: needs(world, now),
    running: world.kanban.running.map((ticket) => running(world, ticket, now)),
    queue: world.kanban.queue.slice(0, LONGEST).map((ticket) => queued(world, ticket, now)),
    done: world.kanban.done.slice(0, LONGEST).map((ticket) => ended(world, ticket, now)),
  };
}

function needs(world: World, now: number): Row[] {
  const open = new Map<string, ReviewView[]>();
  for (const review of world.reviews) {
    open.set(review.ticket_id, [...(open.get(review.ticket_id) ?? []), review]);
  }
  const found: Row[] = [];
  for (const ticket of world.kanban.awaiting) {
    const reviews = open.get(ticket.id) ?? [];
    found.push(...reviews.map((review) => asked(world, ticket, review, now)));
    if (reviews.length === 0) {
      found.push(waits(world, ticket, now));
    }
  }
  return found;
}

function asked(world: World, ticket: TicketView, review: ReviewView, now: number): Row {
  const agent = world.agents.get(review.agent_id);
  const what = review.command ?? review.title;
  return {
    ...base(world, ticket, agent),
    id: `review ${review.id}`,
    agent: review.agent_id,
    review: review.id,
    description: joined(`${reviewMark(review.kind)} ${review.kind}`, since(review.opened_at, now), shortly(review)),
    facts: [
      ...facts(ticket, agent, now),
      [review.kind, what],
      ['review', `${review.id}, open for ${since(review.opened_at, now)}`],
      ...(review.note === null ? [] : [['note', review.note] as const]),
    ],
    context: words(agent, ticket, 'review', review.kind, review.kind === 'question' ? 'question' : 'decidable'),
  };
}

function reviewMark(kind: string): string {
  return ['plan', 'visual', 'pr'].includes(kind) ? mark('awaiting_review') : mark('awaiting');
}

/** What a permission or a question is about, where it can be said in a few words. */
function shortly(review: ReviewView): string {
  switch (review.kind) {
    case 'permission':
      return plain(review.command ?? review.title, 60);
    case 'question':
      return plain(review.questions[0]?.text ?? review.title, 60);
    default:
      return '';
  }
}

function waits(world: World, ticket: TicketView, now: number): Row {
  const agent = agentOf(world, ticket);
  return {
    ...base(world, ticket, agent),
    description: joined(`${mark('awaiting')} ${plain(ticket.reason ?? 'input', 60)}`, since(ticket.since, now)),
    facts: facts(ticket, agent, now),
    context: words(agent, ticket, 'input'),
  };
}

function running(world: World, ticket: TicketView, now: number): Row {
  const agent = agentOf(world, ticket);
  const state = agent?.state.name ?? ticket.status;
  const steps = agent !== undefined && agent.step_count > 1 ? ` ${agent.step_number}/${agent.step_count}` : '';
  const doing = agent?.current_step ?? ticket.step ?? state;
  return {
    ...base(world, ticket, agent),
    description: joined(
      `${mark(state)} ${doing}${steps}`,
      agent?.stalled === true ? 'stalled' : undefined,
      since(agent?.state.since ?? ticket.since, now),
      agent?.driver,
    ),
    facts: facts(ticket, agent, now),
    context: words(agent, ticket, 'running'),
  };
}

function queued(world: World, ticket: TicketView, now: number): Row {
  const why = ticket.until === null ? ticket.reason : joined(ticket.reason, until(ticket.until, now));
  return {
    ...base(world, ticket, undefined),
    description: joined(
      `${mark(ticket.status)} ${ticket.type}`,
      ticket.priority === null ? undefined : `priority ${ticket.priority}`,
      why === null ? undefined : plain(why, 80),
    ),
    facts: facts(ticket, undefined, now),
    context: words(undefined, ticket, 'queued'),
  };
}

function ended(world: World, ticket: TicketView, now: number): Row {
  return {
    ...base(world, ticket, undefined),
    description: joined(
      `${mark(ticket.status)} ${ticket.status}`,
      since(ticket.since, now),
      ticket.no_changes ? 'no changes' : undefined,
      ticket.reason === null ? undefined : plain(ticket.reason, 80),
    ),
    facts: facts(ticket, undefined, now),
    context: words(undefined, ticket, 'ended'),
  };
}

function agentOf(world: World, ticket: TicketView): AgentView | undefined {
  return ticket.agent_id === null ? undefined : world.agents.get(ticket.agent_id);
}

type Base = Omit<Row, 'description' | 'facts' | 'context'>;

function base(world: World, ticket: TicketView, agent: AgentView | undefined): Base {
  return {
    id: `ticket ${ticket.id}`,
    ticket: ticket.id,
    agent: ticket.agent_id ?? undefined,
    review: undefined,
    live: isLive(agent),
    worktree: agent?.worktree_path ?? undefined,
    label: `${ticket.id} ${plain(ticket.title)}`,
    icon: typeIcon(ticket.type, world.types),
  };
}

/** Whether an agent has a session that a terminal can show. */
export function isLive(agent: AgentView | undefined): agent is AgentView {
  return agent?.phase === 'opened';
}

function words(agent: AgentView | undefined, ticket: TicketView, ...more: string[]): string {
  const found = ['ticket', ...more];
  if (isLive(agent)) {
    found.push('agent');
  }
  if (agent?.worktree_path != null) {
    found.push('worktree');
  }
  if (ticket.url !== null) {
    found.push('linked');
  }
  return found.join(' ');
}

function facts(ticket: TicketView, agent: AgentView | undefined, now: number): [string, string][] {
  const found: [string, string | null][] = [
    ['ticket', `${ticket.type}, ${ticket.status} for ${since(ticket.since, now)}`],
    ['why', ticket.reason],
    ...known(agent, now),
    ['project', ticket.project],
    ['branch', ticket.branch],
    ['labels', ticket.labels.join(', ')],
    ['blocked by', ticket.blocked_by.join(', ')],
    ['problem', ticket.problem],
    ['conflict', ticket.conflict],
  ];
  return found.filter((each): each is [string, string] => each[1] !== null && each[1] !== '');
}

/** What an agent does, since when, and how that is known. */
function known(agent: AgentView | undefined, now: number): [string, string][] {
  if (agent === undefined) {
    return [];
  }
  const { name, source, evidence } = agent.state;
  return [
    ['state', `${name} for ${since(agent.state.since, now)} (${source}: ${evidence})`],
    ['agent', `${agent.id}, ${agent.driver}, attempt ${agent.attempt}`],
  ];
}
