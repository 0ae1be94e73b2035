import type {
  AgentList,
  AgentView,
  AttachView,
  DeliveryView,
  ActivityPage,
  HealthView,
  Kanban,
  LaunchView,
  PauseView,
  Records,
  ReviewList,
  ReviewView,
  StatusView,
  SyncView,
  TicketDetail,
  TypeList,
  VerdictView,
} from '../protocol';
import { BadAnswer, NoDaemon, Refused, TooSlow, Unauthorized } from './errors';
import { isTable, parse } from './parse';

const READ = 10_000;
const ACT = 30_000;
const LONG = 300_000;
const LIMIT = 64 * 1024 * 1024;

/** What a person writes into a new ticket. */
export interface NewTicket {
  readonly title: string;
  readonly body: string;
  readonly type: string;
}

/** A daemon's REST API. Methods throw OperatorError's subclasses. */
export class Api {
  constructor(
    readonly url: string,
    private readonly token: string | undefined,
    private readonly person: string | undefined,
  ) {}

  health = (): Promise<HealthView> => this.get('HealthView', '/health');
  status = (): Promise<StatusView> => this.get('StatusView', '/status');
  kanban = (): Promise<Kanban> => this.get('Kanban', '/queue/kanban');
  activeAgents = (): Promise<AgentList> => this.get('AgentList', '/agents/active');
  issueTypes = (): Promise<TypeList> => this.get('TypeList', '/issuetypes');
  pendingReviews = (): Promise<ReviewList> => this.get('ReviewList', '/reviews?status=pending&limit=1000');
  review = (id: number): Promise<ReviewView> => this.get('ReviewView', `/reviews/${id}`);
  agent = (id: string): Promise<AgentView> => this.get('AgentView', `/agents/${part(id)}`);
  attach = (id: string): Promise<AttachView> => this.get('AttachView', `/agents/${part(id)}/attach`);
  ticket = (id: string): Promise<TicketDetail> => this.get('TicketDetail', `/tickets/${part(id)}`);

  activity(since: number, limit: number): Promise<ActivityPage> {
    return this.get('ActivityPage', `/activity?since=${since}&limit=${limit}`);
  }

  async diff(agent: string): Promise<string> {
    return (await this.send('GET', `/agents/${part(agent)}/diff`, undefined, LONG)).toString('utf8');
  }

  /** A file that a review is about; `url` is what its record says. */
  artifact(url: string): Promise<Buffer> {
    return this.send('GET', url, undefined, ACT);
  }

  sync = (): Promise<SyncView> => this.post('SyncView', '/queue/sync', {}, LONG);
  pause = (): Promise<PauseView> => this.post('PauseView', '/queue/pause', {});
  resume = (): Promise<PauseView> => this.post('PauseView', '/queue/resume', {});
  create = (ticket: NewTicket): Promise<TicketDetail> => this.post('TicketDetail', '/tickets', ticket);

  launch(ticket: string, force: boolean): Promise<LaunchView> {
    return this.post('LaunchView', `/tickets/${part(ticket)}/launch`, { force }, LONG);
  }

  act(ticket: string, what: 'cancel' | 'retry' | 'done'): Promise<TicketDetail> {
    return this.post('TicketDetail', `/tickets/${part(ticket)}/${what}`, {});
  }

  prompt(agent: string, text: string): Promise<DeliveryView> {
    return this.post('DeliveryView', `/agents/${part(agent)}/prompt`, { text });
  }

  stop = (agent: string): Promise<AgentView> => this.post('AgentView', `/agents/${part(agent)}/stop`, {}, LONG);
  interrupt = (agent: string): Promise<AgentView> => this.post('AgentView', `/agents/${part(agent)}/interrupt`, {});

  approve(agent: string, review: number): Promise<VerdictView> {
    return this.post('VerdictView', `/agents/${part(agent)}/approve`, { review_id: review });
  }

  reject(agent: string, review: number, reason: string): Promise<VerdictView> {
    return this.post('VerdictView', `/agents/${part(agent)}/reject`, { reason, review_id: review });
  }

  answer(agent: string, review: number, answers: Readonly<Record<string, string>>): Promise<VerdictView> {
    return this.post('VerdictView', `/agents/${part(agent)}/answer`, { answers, review_id: review });
  }

  /** What a WebSocket's handshake must bring. */
  get bearer(): Record<string, string> {
    return this.token === undefined ? {} : { authorization: `Bearer ${this.token}` };
  }

  private async get<K extends keyof Records>(kind: K, path: string): Promise<Records[K]> {
    return record(kind, await this.send('GET', path, undefined, READ));
  }

  private async post<K extends keyof Records>(kind: K, path: string, body: object, wait = ACT): Promise<Records[K]> {
    return record(kind, await this.send('POST', path, body, wait));
  }

  private async send(method: string, path: string, body: object | undefined, wait: number): Promise<Buffer> {
    const headers: Record<string, string> = { ...this.bearer };
    if (this.person !== undefined) {
      headers['x-operator-user'] = this.person;
    }
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(wait), redirect: 'error' };
    if (body !== undefined) {
      headers['content-type'] = 'application/json';
      init.body = JSON.stringify(body);
    }
    try {
      const answer = await fetch(`${this.url}/api/v1${path}`, init);
      const content = await bounded(answer);
      if (answer.ok) {
        return content;
      }
      throw refusal(answer.status, content);
    } catch (error) {
      throw this.explained(error, wait);
    }
  }

  private explained(error: unknown, wait: number): Error {
    if (error instanceof DOMException && error.name === 'TimeoutError') {
      return new TooSlow(`The daemon at ${this.url} did not answer within ${wait / 1000} s.`);
    }
    if (error instanceof TypeError) {
      return new NoDaemon(`Nothing answers at ${this.url}.`, 'Start one: operator serve'); // fetch knows no other error
    }
    return error instanceof Error ? error : new BadAnswer(String(error));
  }
}

function part(name: string): string {
  const quoted = encodeURIComponent(name);
  return /^\.+$/.test(name) ? quoted.replace(/\./g, '%2E') : quoted;
}

async function bounded(answer: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = answer.body ?? [];
  for await (const piece of body) {
    size += piece.length;
    if (size > LIMIT) {
      throw new BadAnswer('The answer of the daemon does not end.');
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function json(content: Buffer): unknown {
  try {
    return JSON.parse(content.toString('utf8'));
  } catch {
    throw new BadAnswer("The daemon's answer is no JSON.", 'Something else may listen there.');
  }
}

function record<K extends keyof Records>(kind: K, content: Buffer): Records[K] {
  return parse(kind, json(content));
}

/** What a refusal says; one that is no problem of ours comes from somebody else. */
export function refusal(status: number, content: Buffer): Error {
  let found: unknown;
  try {
    found = json(content);
  } catch (error) {
    return error as Error;
  }
  if (!isTable(found) || typeof found['code'] !== 'string' || typeof found['message'] !== 'string') {
    return new BadAnswer(`The daemon refused with status ${status}, and does not say why.`);
  }
  const hint = typeof found['hint'] === 'string' ? found['hint'] : '';
  if (status === 401) {
    return new Unauthorized(found['message'], hint);
  }
  return new Refused(status, found['code'], withFields(found['message'], found['fields']), hint);
}

function withFields(message: string, fields: unknown): string {
  const wrong = isTable(fields) ? Object.entries(fields).map(([name, what]) => `${name} ${String(what)}`) : [];
  return wrong.length === 0 ? message : `${message} ${wrong.join('; ')}.`;
}
