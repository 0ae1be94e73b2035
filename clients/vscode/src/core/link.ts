import WebSocket from 'ws';
import type { EventView } from '../protocol';
import { Api } from './api';
import { NoDaemon, Unauthorized, told } from './errors';
import { frame } from './frames';
import { step, type Effect, type Event, type State } from './reconnect';

const HANDSHAKE = 10_000;
/** The daemon pings every 20 s: a stream that is silent for longer than this is dead. */
const SILENCE = 60_000;
const FRAME_LIMIT = 16 * 1024 * 1024;

/** Whom the link tells. */
export interface Listener {
  /** The connection's state is another one. */
  stateChanged(state: State): void;
  /** It is live: what is known must be read anew. */
  lived(api: Api): void;
  /** Entries of the activity; none where some are missing. */
  happened(events: readonly EventView[]): void;
}

/** Keeps one connection to a daemon, whatever becomes of it: runs what the state machine says. */
export class Link {
  private state: State = { at: 'stopped' };
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private api: Api | undefined;
  private streamUrl = '';
  private round = 0;

  /** `find` makes a client of the daemon that is to be used, or throws NoDaemon. */
  constructor(
    private readonly find: () => Promise<Api>,
    private readonly listener: Listener,
  ) {}

  /** Connects at once, whatever it was about before. */
  begin(): void {
    this.feed({ kind: 'begin' });
  }

  stop(): void {
    this.feed({ kind: 'stop' });
  }

  private feed(event: Event): void {
    const [state, effects] = step(this.state, event, Math.random());
    const changed = state !== this.state;
    this.state = state;
    for (const effect of effects) {
      this.run(effect);
    }
    if (changed) {
      this.listener.stateChanged(state);
    }
    if (changed && state.at === 'live' && this.api !== undefined) {
      this.listener.lived(this.api);
    }
  }

  private run(effect: Effect): void {
    switch (effect.kind) {
      case 'drop':
        this.drop();
        break;
      case 'wait':
        this.timer = setTimeout(() => {
          this.feed({ kind: 'due' });
        }, effect.ms);
        break;
      case 'seek':
        void this.seek(this.round);
        break;
      case 'open':
        this.open(this.round);
        break;
    }
  }

  private drop(): void {
    this.round += 1;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.socket?.terminate();
    this.socket = undefined;
  }

  /** Events of an attempt that was dropped are told to nobody. */
  private feedOf(round: number, event: Event): void {
    if (round === this.round) {
      this.feed(event);
    }
  }

  private async seek(round: number): Promise<void> {
    try {
      const api = await this.find();
      const status = await api.status();
      if (round === this.round) {
        this.api = api;
        this.streamUrl = `${status.streams.activity}?since=${status.head}`;
        this.feed({ kind: 'found' });
      }
    } catch (error) {
      this.feedOf(round, failure(error));
    }
  }

  private open(round: number): void {
    let socket: WebSocket;
    try {
      const headers = this.api?.bearer ?? {};
      const options = { headers, handshakeTimeout: HANDSHAKE, perMessageDeflate: false, maxPayload: FRAME_LIMIT };
      socket = new WebSocket(this.streamUrl, options);
    } catch (error) {
      this.feedOf(round, failure(error));
      return;
    }
    this.socket = socket;
    const alive = (): void => {
      clearTimeout(this.timer);
      if (round === this.round) {
        this.timer = setTimeout(() => {
          this.feedOf(round, { kind: 'broke', why: 'The stream is silent.', absent: false });
        }, SILENCE);
      }
    };
    socket.on('ping', alive);
    socket.on('message', (data, binary) => {
      alive();
      this.heard(round, binary ? '' : textOf(data));
    });
    socket.on('unexpected-response', (request, answer) => {
      request.destroy();
      const why = `The stream was refused with status ${answer.statusCode ?? 0}.`;
      this.feedOf(round, answer.statusCode === 401 ? { kind: 'unauthorized', why } : failed(why));
    });
    socket.on('error', (error) => {
      this.feedOf(round, failed(error.message));
    });
    socket.on('close', () => {
      this.feedOf(round, failed('The stream ended.'));
    });
  }

  private heard(round: number, text: string): void {
    if (round !== this.round) {
      return;
    }
    try {
      const found = frame(text);
      switch (found.kind) {
        case 'hello':
          this.feed({ kind: 'opened' });
          break;
        case 'gap':
          this.listener.happened([]);
          break;
        case 'events':
          this.listener.happened(found.events);
          break;
      }
    } catch (error) {
      this.feedOf(round, failure(error));
    }
  }
}

function textOf(data: WebSocket.RawData): string {
  const pieces = Array.isArray(data) ? data : [data instanceof ArrayBuffer ? Buffer.from(data) : data];
  return Buffer.concat(pieces).toString('utf8');
}

function failed(why: string): Event {
  return { kind: 'broke', why, absent: false };
}

function failure(error: unknown): Event {
  if (error instanceof Unauthorized) {
    return { kind: 'unauthorized', why: told(error) };
  }
  return { kind: 'broke', why: told(error), absent: error instanceof NoDaemon };
}
