import type { AgentView, ReviewView, StatusView, TicketView } from '../src/protocol';
import type { World } from '../src/core/world';

export const NOW = Date.parse('2026-11-25T12:00:00Z');
const EARLIER = '2026-11-25T11:56:00Z';

export function ticket(id: string, more: Partial<TicketView> = {}): TicketView {
  return {
    id,
    external_key: null,
    url: null,
    title: `Title of ${id}`,
    type: 'TASK',
    status: 'queued',
    since: EARLIER,
    reason: null,
    until: null,
    priority: null,
    project: 'repo',
    driver: 'claude',
    labels: [],
    blocked_by: [],
    collection: 'board',
    step: null,
    attempts: 0,
    launches: 0,
    agent_id: null,
    branch: null,
    problem: null,
    closed_on_board: false,
    no_changes: false,
    dirty: false,
    conflict: null,
    created_at: EARLIER,
    updated_at: EARLIER,
    ...more,
  };
}

export function agent(id: string, more: Partial<AgentView> = {}): AgentView {
  return {
    id,
    ticket_id: id.split('~')[0] ?? id,
    ticket_type: 'TASK',
    title: 'A title',
    project: 'repo',
    state: { name: 'running', since: EARLIER, source: 'hook', evidence: 'PreToolUse' },
    status: 'running',
    needs: null,
    stalled: false,
    review_id: null,
    mode: 'autonomous',
    attempt: 1,
    started_at: EARLIER,
    current_step: 'build',
    step_number: 2,
    step_count: 4,
    driver: 'claude',
    backend: 'tmux',
    branch: 'operator/X',
    worktree_path: '/w/X',
    session_id: 's',
    phase: 'opened',
    phase_reason: null,
    exit: null,
    last_title: '',
    ...more,
  };
}

export function review(id: number, more: Partial<ReviewView> = {}): ReviewView {
  return {
    id,
    kind: 'plan',
    status: 'pending',
    ticket_id: 'FEAT-1',
    agent_id: 'FEAT-1~1',
    step: 'plan',
    run: 1,
    title: 'A plan',
    opened_at: EARLIER,
    waited: 240,
    decided_at: null,
    decided_by: null,
    reason: null,
    answers: {},
    by_hook: false,
    held: false,
    told: false,
    plan: '# A plan',
    plan_path: null,
    tool: null,
    tool_input: null,
    command: null,
    questions: [],
    artifacts: [],
    branch: null,
    commits: 0,
    stat: null,
    url: null,
    note: null,
    ...more,
  };
}

export function status(more: Partial<StatusView> = {}): StatusView {
  const waiting = { queued: 0, parked: 0, by_type: {} };
  const counts = { ...waiting, in_progress: 0, awaiting: 0, completed: 0, failed: 0, cancelled: 0 };
  return {
    version: '0.1.0',
    paused: false,
    pause_reason: null,
    counts,
    max_agents: 4,
    agents: 1,
    needs_you: 0,
    collections: [],
    backends: [],
    drivers: [],
    projects: ['repo'],
    streams: { activity: 'ws://127.0.0.1:1/activity', terminal: 'ws://127.0.0.1:1/{agent}' },
    since: EARLIER,
    state_dir: '/s',
    head: 5,
    warnings: [],
    ...more,
  };
}

type Columns = Partial<Record<'queue' | 'running' | 'awaiting' | 'done', readonly TicketView[]>>;

export function world(columns: Columns, agents: readonly AgentView[] = [], reviews: readonly ReviewView[] = []): World {
  const kanban = { queue: [], running: [], awaiting: [], done: [], total_count: 0, ...columns };
  const known = new Map(agents.map((each) => [each.id, each]));
  return { status: status(), kanban, agents: known, reviews, types: new Map() };
}
