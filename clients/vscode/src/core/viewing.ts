import WebSocket from 'ws';
import { isTable } from './parse';
import { delay } from './reconnect';

const HANDSHAKE = 10_000;
/** Bytes of a frame at most; the daemon's hold 64 KB of output, or one screen. */
const FRAME_LIMIT = 16 * 1024 * 1024;
/** Bytes of keys in a frame, which is less than the daemon takes. */
const KEYS = 32 * 1024;
/** Bytes that may wait for a daemon that does not read; what is typed beyond that is lost, as in a terminal. */
const UNSENT = 1024 * 1024;

/** The daemon pings every 20 s: a connection that is silent for longer than this is dead. */
const SILENCE = 60_000;

/** Whom a viewer tells. */
export interface Screen {
  write(text: string): void;
  /** The connection is there, or is not. */
  online(is: boolean): void;
  /** There is nothing more to see. */
  over(why: string): void;
}

/** One view of an agent's terminal. It comes back by itself, with the present screen, until the session is gone. */
export class Viewing {
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private size: { columns: number; rows: number } | undefined;
  private failures = 0;
  private closed = false;

  /** `dial` says where the terminal is now, and what the handshake must bring; it throws while there is no daemon. */
  constructor(
    private readonly dial: () => { readonly url: string; readonly headers: Record<string, string> },
    private readonly screen: Screen,
  ) {}

  open(): void {
    let socket: WebSocket;
    try {
      const { url, headers } = this.dial();
      const options = { headers, handshakeTimeout: HANDSHAKE, perMessageDeflate: false, maxPayload: FRAME_LIMIT };
      socket = new WebSocket(url, options);
    } catch {
      this.again();
      return;
    }
    this.socket = socket;
    const decoder = new TextDecoder(); // a frame may end within a character
    socket.on('open', () => {
      this.failures = 0;
      this.alive(socket);
      this.screen.online(true);
      this.tellSize();
    });
    socket.on('ping', () => this.alive(socket));
    socket.on('message', (data, binary) => {
      this.alive(socket);
      const content = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
      if (binary) {
        this.screen.write(decoder.decode(content, { stream: true }));
      } else {
        this.told(content.toString('utf8'));
      }
    });
    socket.on('unexpected-response', (request, answer) => {
      request.destroy();
      if (answer.statusCode === 404 || answer.statusCode === 409) {
        this.end('The session is not there any more.');
      } else {
        this.lost(socket);
      }
    });
    socket.on('error', () => this.lost(socket));
    socket.on('close', () => this.lost(socket));
  }

  /** Keys go to the agent at once, or nowhere: what was typed while nobody listened would act later, unseen. */
  type(text: string): void {
    const { socket } = this;
    if (socket?.readyState !== WebSocket.OPEN) {
      return;
    }
    const content = Buffer.from(text);
    for (let at = 0; at < content.length && socket.bufferedAmount < UNSENT; at += KEYS) {
      socket.send(content.subarray(at, at + KEYS));
    }
  }

  resize(columns: number, rows: number): void {
    if (this.size?.columns !== columns || this.size.rows !== rows) {
      this.size = { columns, rows };
      this.tellSize();
    }
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
  }

  private alive(socket: WebSocket): void {
    if (socket === this.socket && !this.closed) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.lost(socket), SILENCE);
    }
  }

  private tellSize(): void {
    if (this.size !== undefined && this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ resize: this.size }));
    }
  }

  private told(text: string): void {
    const said = control(text);
    if (typeof said['gone'] === 'string') {
      this.end(said['gone']);
    }
  }

  private end(why: string): void {
    if (!this.closed) {
      this.close();
      this.screen.over(why);
    }
  }

  private lost(socket: WebSocket): void {
    if (socket === this.socket && !this.closed) {
      clearTimeout(this.timer);
      this.socket = undefined;
      socket.terminate();
      this.screen.online(false);
      this.again();
    }
  }

  private again(): void {
    if (!this.closed) {
      this.failures += 1;
      this.timer = setTimeout(() => this.open(), delay(this.failures, Math.random()));
    }
  }
}

function control(text: string): Record<string, unknown> {
  try {
    const said: unknown = JSON.parse(text);
    return isTable(said) ? said : {};
  } catch {
    return {}; // a frame of another version says nothing to us
  }
}
