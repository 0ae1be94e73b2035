// Made by scripts/generate.py from supervisor/domain/views.py and board_views.py. Change those, then run the script.

/** What a value on the wire must be. */
export type Shape =
  | 'string'
  | 'number'
  | 'boolean'
  | 'null'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly record: keyof Records }
  | { readonly any: readonly Shape[] };

/** What an agent does, since when, and how that is known. */
export interface StateView {
  readonly name: string;
  readonly since: string;
  readonly source: string;
  readonly evidence: string;
}

export interface AgentView {
  readonly id: string;
  readonly ticket_id: string;
  readonly ticket_type: string;
  readonly title: string;
  readonly project: string;
  readonly state: StateView;
  readonly status: string;
  readonly needs: string | null;
  readonly stalled: boolean;
  readonly review_id: number | null;
  readonly mode: string;
  readonly attempt: number;
  readonly started_at: string;
  readonly current_step: string | null;
  readonly step_number: number;
  readonly step_count: number;
  readonly driver: string;
  readonly backend: string;
  readonly branch: string | null;
  readonly worktree_path: string | null;
  readonly session_id: string | null;
  readonly phase: string;
  readonly phase_reason: string | null;
  readonly exit: string | null;
  readonly last_title: string;
}

export interface AgentList {
  readonly agents: readonly AgentView[];
  readonly count: number;
}

export interface TicketView {
  readonly id: string;
  readonly external_key: string | null;
  readonly url: string | null;
  readonly title: string;
  readonly type: string;
  readonly status: string;
  readonly since: string;
  readonly reason: string | null;
  readonly until: string | null;
  readonly priority: number | null;
  readonly project: string | null;
  readonly driver: string | null;
  readonly labels: readonly string[];
  readonly blocked_by: readonly string[];
  readonly collection: string | null;
  readonly step: string | null;
  readonly attempts: number;
  readonly launches: number;
  readonly agent_id: string | null;
  readonly branch: string | null;
  readonly problem: string | null;
  readonly closed_on_board: boolean;
  readonly no_changes: boolean;
  readonly dirty: boolean;
  readonly conflict: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

/** One ticket with its text. */
export interface TicketDetail {
  readonly id: string;
  readonly external_key: string | null;
  readonly url: string | null;
  readonly title: string;
  readonly type: string;
  readonly status: string;
  readonly since: string;
  readonly reason: string | null;
  readonly until: string | null;
  readonly priority: number | null;
  readonly project: string | null;
  readonly driver: string | null;
  readonly labels: readonly string[];
  readonly blocked_by: readonly string[];
  readonly collection: string | null;
  readonly step: string | null;
  readonly attempts: number;
  readonly launches: number;
  readonly agent_id: string | null;
  readonly branch: string | null;
  readonly problem: string | null;
  readonly closed_on_board: boolean;
  readonly no_changes: boolean;
  readonly dirty: boolean;
  readonly conflict: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly body: string;
  readonly exported: string | null;
}

export interface TicketPage {
  readonly tickets: readonly TicketView[];
  readonly next_cursor: string | null;
  readonly total_count: number;
}

export interface PauseView {
  readonly paused: boolean;
  readonly message: string;
  readonly queued: number;
  readonly running: number;
}

export interface QueueStatus {
  readonly queued: number;
  readonly in_progress: number;
  readonly awaiting: number;
  readonly completed: number;
  readonly parked: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly by_type: Readonly<Record<string, number>>;
}

export interface Kanban {
  readonly queue: readonly TicketView[];
  readonly running: readonly TicketView[];
  readonly awaiting: readonly TicketView[];
  readonly done: readonly TicketView[];
  readonly total_count: number;
}

export interface BackendView {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface DriverView {
  readonly name: string;
  readonly kind: string;
  readonly command: readonly string[];
}

/** The addresses of the WebSockets. */
export interface StreamsView {
  readonly activity: string;
  readonly terminal: string;
}

export interface StatusView {
  readonly version: string;
  readonly paused: boolean;
  readonly pause_reason: string | null;
  readonly counts: QueueStatus;
  readonly max_agents: number;
  readonly agents: number;
  readonly needs_you: number;
  readonly collections: readonly CollectionView[];
  readonly backends: readonly BackendView[];
  readonly drivers: readonly DriverView[];
  readonly projects: readonly string[];
  readonly streams: StreamsView;
  readonly since: string;
  readonly state_dir: string;
  readonly head: number;
  readonly warnings: readonly string[];
}

export interface LaunchView {
  readonly ticket_id: string;
  readonly agent_id: string;
  readonly phase: string;
  readonly terminal_name: string | null;
  readonly working_directory: string | null;
  readonly command: readonly string[];
  readonly session_id: string | null;
  readonly worktree_created: boolean;
  readonly branch: string | null;
}

export interface DeliveryView {
  readonly agent_id: string;
  readonly delivery_id: string;
  readonly delivery: string;
  readonly reason: string;
}

/** How to reach an agent's session from a terminal. */
export interface AttachView {
  readonly agent_id: string;
  readonly argv: readonly string[];
}

/** A file or page that an agent left to be looked at. */
export interface ArtifactView {
  readonly name: string;
  readonly media: string;
  readonly size: number;
  readonly url: string | null;
}

export interface OptionView {
  readonly label: string;
  readonly description: string;
}

export interface QuestionView {
  readonly text: string;
  readonly header: string;
  readonly options: readonly OptionView[];
  readonly multiple: boolean;
}

/** A decision that a person owes, or owed. */
export interface ReviewView {
  readonly id: number;
  readonly kind: string;
  readonly status: string;
  readonly ticket_id: string;
  readonly agent_id: string;
  readonly step: string;
  readonly run: number;
  readonly title: string;
  readonly opened_at: string;
  readonly waited: number;
  readonly decided_at: string | null;
  readonly decided_by: string | null;
  readonly reason: string | null;
  readonly answers: Readonly<Record<string, string>>;
  readonly by_hook: boolean;
  readonly held: boolean;
  readonly told: boolean;
  readonly plan: string | null;
  readonly plan_path: string | null;
  readonly tool: string | null;
  readonly tool_input: string | null;
  readonly command: string | null;
  readonly questions: readonly QuestionView[];
  readonly artifacts: readonly ArtifactView[];
  readonly branch: string | null;
  readonly commits: number;
  readonly stat: string | null;
  readonly url: string | null;
  readonly note: string | null;
}

export interface ReviewList {
  readonly reviews: readonly ReviewView[];
  readonly count: number;
}

/** What a verdict came to. */
export interface VerdictView {
  readonly agent_id: string;
  readonly review_id: number;
  readonly status: string;
  readonly delivery: string;
  readonly message: string;
}

export interface TypeView {
  readonly name: string;
  readonly mode: string;
  readonly color: string;
  readonly icon: string;
  readonly rank: number;
  readonly steps: readonly string[];
}

export interface TypeList {
  readonly issuetypes: readonly TypeView[];
}

/** One entry of the activity. */
export interface EventView {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly ticket: string | null;
  readonly agent: string | null;
  readonly data: Readonly<Record<string, string | number | boolean | null>>;
}

export interface ActivityPage {
  readonly events: readonly EventView[];
  readonly head: number;
  readonly oldest: number;
}

export interface HealthView {
  readonly status: string;
  readonly version: string;
  readonly directory_name: string;
}

/** `endpoint.json`: where a daemon listens. Clients read it; it names no secret. */
export interface Endpoint {
  readonly pid: number;
  readonly version: string;
  readonly url: string;
  readonly stream_url: string;
  readonly socket: string | null;
  readonly token_file: string | null;
  readonly started_at: string;
}

/** An agent's states, oldest first, with their proofs. */
export interface History {
  readonly agent_id: string;
  readonly states: readonly StateView[];
}

/** What a sync changed, by the boards' own keys. */
export interface SyncView {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly skipped: readonly string[];
  readonly closed: readonly string[];
  readonly errors: readonly string[];
  readonly total_processed: number;
}

export interface CollectionView {
  readonly name: string;
  readonly provider: string;
  readonly where: string;
  readonly last_sync: string | null;
  readonly next_sync: string | null;
  readonly error_code: string | null;
  readonly error: string | null;
  readonly retry_at: string | null;
  readonly pending_writes: number;
  readonly problems: readonly string[];
  readonly hint: string | null;
  readonly last_full: string | null;
  readonly oldest_write: string | null;
  readonly write_error: string | null;
}

export interface CollectionList {
  readonly collections: readonly CollectionView[];
}

/** What a board is still to be told. */
export interface WriteView {
  readonly collection: string;
  readonly ticket_id: string;
  readonly kind: string;
  readonly since: string;
  readonly attempts: number;
  readonly error: string | null;
}

/** Oldest first. */
export interface WriteList {
  readonly writes: readonly WriteView[];
}

/** A webhook was believed: its board is read soon. */
export interface HeardView {
  readonly collection: string;
}

/** Every record by its name. */
export interface Records {
  StateView: StateView;
  AgentView: AgentView;
  AgentList: AgentList;
  TicketView: TicketView;
  TicketDetail: TicketDetail;
  TicketPage: TicketPage;
  PauseView: PauseView;
  QueueStatus: QueueStatus;
  Kanban: Kanban;
  BackendView: BackendView;
  DriverView: DriverView;
  StreamsView: StreamsView;
  StatusView: StatusView;
  LaunchView: LaunchView;
  DeliveryView: DeliveryView;
  AttachView: AttachView;
  ArtifactView: ArtifactView;
  OptionView: OptionView;
  QuestionView: QuestionView;
  ReviewView: ReviewView;
  ReviewList: ReviewList;
  VerdictView: VerdictView;
  TypeView: TypeView;
  TypeList: TypeList;
  EventView: EventView;
  ActivityPage: ActivityPage;
  HealthView: HealthView;
  Endpoint: Endpoint;
  History: History;
  SyncView: SyncView;
  CollectionView: CollectionView;
  CollectionList: CollectionList;
  WriteView: WriteView;
  WriteList: WriteList;
  HeardView: HeardView;
}

export const SHAPES: { readonly [name in keyof Records]: Readonly<Record<string, Shape>> } = {
  StateView: {
    name: 'string',
    since: 'string',
    source: 'string',
    evidence: 'string',
  },
  AgentView: {
    id: 'string',
    ticket_id: 'string',
    ticket_type: 'string',
    title: 'string',
    project: 'string',
    state: { record: 'StateView' },
    status: 'string',
    needs: { any: ['string', 'null'] },
    stalled: 'boolean',
    review_id: { any: ['number', 'null'] },
    mode: 'string',
    attempt: 'number',
    started_at: 'string',
    current_step: { any: ['string', 'null'] },
    step_number: 'number',
    step_count: 'number',
    driver: 'string',
    backend: 'string',
    branch: { any: ['string', 'null'] },
    worktree_path: { any: ['string', 'null'] },
    session_id: { any: ['string', 'null'] },
    phase: 'string',
    phase_reason: { any: ['string', 'null'] },
    exit: { any: ['string', 'null'] },
    last_title: 'string',
  },
  AgentList: {
    agents: { list: { record: 'AgentView' } },
    count: 'number',
  },
  TicketView: {
    id: 'string',
    external_key: { any: ['string', 'null'] },
    url: { any: ['string', 'null'] },
    title: 'string',
    type: 'string',
    status: 'string',
    since: 'string',
    reason: { any: ['string', 'null'] },
    until: { any: ['string', 'null'] },
    priority: { any: ['number', 'null'] },
    project: { any: ['string', 'null'] },
    driver: { any: ['string', 'null'] },
    labels: { list: 'string' },
    blocked_by: { list: 'string' },
    collection: { any: ['string', 'null'] },
    step: { any: ['string', 'null'] },
    attempts: 'number',
    launches: 'number',
    agent_id: { any: ['string', 'null'] },
    branch: { any: ['string', 'null'] },
    problem: { any: ['string', 'null'] },
    closed_on_board: 'boolean',
    no_changes: 'boolean',
    dirty: 'boolean',
    conflict: { any: ['string', 'null'] },
    created_at: 'string',
    updated_at: 'string',
  },
  TicketDetail: {
    id: 'string',
    external_key: { any: ['string', 'null'] },
    url: { any: ['string', 'null'] },
    title: 'string',
    type: 'string',
    status: 'string',
    since: 'string',
    reason: { any: ['string', 'null'] },
    until: { any: ['string', 'null'] },
    priority: { any: ['number', 'null'] },
    project: { any: ['string', 'null'] },
    driver: { any: ['string', 'null'] },
    labels: { list: 'string' },
    blocked_by: { list: 'string' },
    collection: { any: ['string', 'null'] },
    step: { any: ['string', 'null'] },
    attempts: 'number',
    launches: 'number',
    agent_id: { any: ['string', 'null'] },
    branch: { any: ['string', 'null'] },
    problem: { any: ['string', 'null'] },
    closed_on_board: 'boolean',
    no_changes: 'boolean',
    dirty: 'boolean',
    conflict: { any: ['string', 'null'] },
    created_at: 'string',
    updated_at: 'string',
    body: 'string',
    exported: { any: ['string', 'null'] },
  },
  TicketPage: {
    tickets: { list: { record: 'TicketView' } },
    next_cursor: { any: ['string', 'null'] },
    total_count: 'number',
  },
  PauseView: {
    paused: 'boolean',
    message: 'string',
    queued: 'number',
    running: 'number',
  },
  QueueStatus: {
    queued: 'number',
    in_progress: 'number',
    awaiting: 'number',
    completed: 'number',
    parked: 'number',
    failed: 'number',
    cancelled: 'number',
    by_type: { map: 'number' },
  },
  Kanban: {
    queue: { list: { record: 'TicketView' } },
    running: { list: { record: 'TicketView' } },
    awaiting: { list: { record: 'TicketView' } },
    done: { list: { record: 'TicketView' } },
    total_count: 'number',
  },
  BackendView: {
    name: 'string',
    ok: 'boolean',
    detail: 'string',
  },
  DriverView: {
    name: 'string',
    kind: 'string',
    command: { list: 'string' },
  },
  StreamsView: {
    activity: 'string',
    terminal: 'string',
  },
  StatusView: {
    version: 'string',
    paused: 'boolean',
    pause_reason: { any: ['string', 'null'] },
    counts: { record: 'QueueStatus' },
    max_agents: 'number',
    agents: 'number',
    needs_you: 'number',
    collections: { list: { record: 'CollectionView' } },
    backends: { list: { record: 'BackendView' } },
    drivers: { list: { record: 'DriverView' } },
    projects: { list: 'string' },
    streams: { record: 'StreamsView' },
    since: 'string',
    state_dir: 'string',
    head: 'number',
    warnings: { list: 'string' },
  },
  LaunchView: {
    ticket_id: 'string',
    agent_id: 'string',
    phase: 'string',
    terminal_name: { any: ['string', 'null'] },
    working_directory: { any: ['string', 'null'] },
    command: { list: 'string' },
    session_id: { any: ['string', 'null'] },
    worktree_created: 'boolean',
    branch: { any: ['string', 'null'] },
  },
  DeliveryView: {
    agent_id: 'string',
    delivery_id: 'string',
    delivery: 'string',
    reason: 'string',
  },
  AttachView: {
    agent_id: 'string',
    argv: { list: 'string' },
  },
  ArtifactView: {
    name: 'string',
    media: 'string',
    size: 'number',
    url: { any: ['string', 'null'] },
  },
  OptionView: {
    label: 'string',
    description: 'string',
  },
  QuestionView: {
    text: 'string',
    header: 'string',
    options: { list: { record: 'OptionView' } },
    multiple: 'boolean',
  },
  ReviewView: {
    id: 'number',
    kind: 'string',
    status: 'string',
    ticket_id: 'string',
    agent_id: 'string',
    step: 'string',
    run: 'number',
    title: 'string',
    opened_at: 'string',
    waited: 'number',
    decided_at: { any: ['string', 'null'] },
    decided_by: { any: ['string', 'null'] },
    reason: { any: ['string', 'null'] },
    answers: { map: 'string' },
    by_hook: 'boolean',
    held: 'boolean',
    told: 'boolean',
    plan: { any: ['string', 'null'] },
    plan_path: { any: ['string', 'null'] },
    tool: { any: ['string', 'null'] },
    tool_input: { any: ['string', 'null'] },
    command: { any: ['string', 'null'] },
    questions: { list: { record: 'QuestionView' } },
    artifacts: { list: { record: 'ArtifactView' } },
    branch: { any: ['string', 'null'] },
    commits: 'number',
    stat: { any: ['string', 'null'] },
    url: { any: ['string', 'null'] },
    note: { any: ['string', 'null'] },
  },
  ReviewList: {
    reviews: { list: { record: 'ReviewView' } },
    count: 'number',
  },
  VerdictView: {
    agent_id: 'string',
    review_id: 'number',
    status: 'string',
    delivery: 'string',
    message: 'string',
  },
  TypeView: {
    name: 'string',
    mode: 'string',
    color: 'string',
    icon: 'string',
    rank: 'number',
    steps: { list: 'string' },
  },
  TypeList: {
    issuetypes: { list: { record: 'TypeView' } },
  },
  EventView: {
    seq: 'number',
    at: 'string',
    kind: 'string',
    ticket: { any: ['string', 'null'] },
    agent: { any: ['string', 'null'] },
    data: { map: { any: ['string', 'number', 'boolean', 'null'] } },
  },
  ActivityPage: {
    events: { list: { record: 'EventView' } },
    head: 'number',
    oldest: 'number',
  },
  HealthView: {
    status: 'string',
    version: 'string',
    directory_name: 'string',
  },
  Endpoint: {
    pid: 'number',
    version: 'string',
    url: 'string',
    stream_url: 'string',
    socket: { any: ['string', 'null'] },
    token_file: { any: ['string', 'null'] },
    started_at: 'string',
  },
  History: {
    agent_id: 'string',
    states: { list: { record: 'StateView' } },
  },
  SyncView: {
    created: { list: 'string' },
    updated: { list: 'string' },
    skipped: { list: 'string' },
    closed: { list: 'string' },
    errors: { list: 'string' },
    total_processed: 'number',
  },
  CollectionView: {
    name: 'string',
    provider: 'string',
    where: 'string',
    last_sync: { any: ['string', 'null'] },
    next_sync: { any: ['string', 'null'] },
    error_code: { any: ['string', 'null'] },
    error: { any: ['string', 'null'] },
    retry_at: { any: ['string', 'null'] },
    pending_writes: 'number',
    problems: { list: 'string' },
    hint: { any: ['string', 'null'] },
    last_full: { any: ['string', 'null'] },
    oldest_write: { any: ['string', 'null'] },
    write_error: { any: ['string', 'null'] },
  },
  CollectionList: {
    collections: { list: { record: 'CollectionView' } },
  },
  WriteView: {
    collection: 'string',
    ticket_id: 'string',
    kind: 'string',
    since: 'string',
    attempts: 'number',
    error: { any: ['string', 'null'] },
  },
  WriteList: {
    writes: { list: { record: 'WriteView' } },
  },
  HeardView: {
    collection: 'string',
  },
};
