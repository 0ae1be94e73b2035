import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { WebSocketServer, type WebSocket } from 'ws';
import { Api } from '../src/core/api';
import { NoDaemon, Refused, told } from '../src/core/errors';
import { Link } from '../src/core/link';
import type { State } from '../src/core/reconnect';
import { Viewing } from '../src/core/viewing';
import { status } from './samples';

const TOKEN = 'right';
const HELLO = JSON.stringify({ hello: { protocol: 1, epoch: 'e', head: 5, oldest: 1 } });
const servers: Server[] = [];
after(() => servers.forEach((each) => each.close()));

/** Speaks as a daemon does, as far as a connection goes; the real one is in the workbench's tests. */
class Peer {
  readonly sockets = new WebSocketServer({ noServer: true });
  readonly server = createServer((request, answer) => {
    const allowed = request.headers.authorization === `Bearer ${TOKEN}`;
    answer.statusCode = allowed ? 200 : 401;
    const refused = { code: 'unauthorized', message: 'No token.', hint: '' };
    const streams = { activity: `${this.stream}/activity`, terminal: `${this.stream}/{agent}` };
    answer.end(JSON.stringify(allowed ? status({ streams }) : refused));
  });
  asked: string[] = [];

  async start(port = 0): Promise<this> {
    servers.push(this.server);
    this.server.on('upgrade', (request, socket, head) => {
      this.asked.push(request.url ?? '');
      this.sockets.handleUpgrade(request, socket, head, (made) => this.sockets.emit('connection', made));
    });
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get stream(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  async next(): Promise<WebSocket> {
    const [socket] = (await once(this.sockets, 'connection')) as [WebSocket];
    return socket;
  }
}

/** What a link tells, to be waited for. */
class Ear {
  readonly states: State['at'][] = [];
  readonly events: number[] = [];
  private waiting: (() => void)[] = [];

  stateChanged = (state: State): void => this.note(() => this.states.push(state.at));
  lived = (): void => undefined;
  happened = (events: readonly { readonly seq: number }[]): void =>
    this.note(() => this.events.push(...events.map((each) => each.seq)));

  async until(met: () => boolean): Promise<void> {
    while (!met()) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private note(what: () => unknown): void {
    what();
    this.waiting.splice(0).forEach((each) => each());
  }
}

test('a stream is followed behind what is known, and again after it broke', async () => {
  const peer = await new Peer().start();
  const ear = new Ear();
  const link = new Link(() => Promise.resolve(new Api(peer.url, TOKEN, undefined)), ear);
  let coming = peer.next();
  link.begin();
  let socket = await coming;
  socket.send(HELLO);
  await ear.until(() => ear.states.at(-1) === 'live');
  const event = { seq: 6, at: 't', kind: 'ticket.done', ticket: 'A', agent: null, data: {} };
  socket.send(JSON.stringify({ events: [event] }));
  await ear.until(() => ear.events.includes(6));
  coming = peer.next();
  socket.terminate();
  socket = await coming;
  socket.send(HELLO);
  await ear.until(() => ear.states.filter((each) => each === 'live').length === 2);
  assert.deepEqual(peer.asked, ['/activity?since=5', '/activity?since=5']);
  assert.deepEqual(ear.states, ['seeking', 'opening', 'live', 'waiting', 'seeking', 'opening', 'live']);
  link.stop();
  assert.equal(ear.states.at(-1), 'stopped');
});

test('a token that is refused is not tried again', async () => {
  const peer = await new Peer().start();
  const ear = new Ear();
  new Link(() => Promise.resolve(new Api(peer.url, 'wrong', undefined)), ear).begin();
  await ear.until(() => ear.states.at(-1) === 'refused');
  assert.deepEqual(ear.states, ['seeking', 'refused']);
});

test('what is no stream of ours is left', async () => {
  const peer = await new Peer().start();
  const ear = new Ear();
  const link = new Link(() => Promise.resolve(new Api(peer.url, TOKEN, undefined)), ear);
  const coming = peer.next();
  link.begin();
  (await coming).send('{"hello":{"protocol":99,"epoch":"e","head":1}}');
  await ear.until(() => ear.states.includes('waiting'));
  link.stop();
});

test('failures are sentences', async () => {
  await assert.rejects(new Api('http://127.0.0.1:1', TOKEN, undefined).status(), NoDaemon);
  const refused = new Refused(409, 'already_decided', 'It is approved already.', 'Look at it.');
  assert.equal(told(refused), 'It is approved already. Look at it.');
});

test('a terminal takes bytes as they come, and shows the screen again after a break', async () => {
  const peer = await new Peer().start();
  const said: string[] = [];
  const ear = new Ear();
  const note = (text: string): void => {
    said.push(text);
    ear.happened([]);
  };
  const viewing = new Viewing(() => ({ url: `${peer.stream}/A~1`, headers: {} }), {
    write: note,
    online: (is) => note(is ? '[on]' : '[off]'),
    over: (why) => note(`[over ${why}]`),
  });
  viewing.resize(80, 24);
  let coming = peer.next();
  viewing.open();
  let socket = await coming;
  const [size] = (await once(socket, 'message')) as [Buffer];
  assert.deepEqual(JSON.parse(String(size)), { resize: { columns: 80, rows: 24 } });
  const snowman = Buffer.from('☃');
  socket.send(snowman.subarray(0, 2));
  socket.send(snowman.subarray(2));
  await ear.until(() => said.join('').includes('☃'));
  const typed: Buffer[] = [];
  socket.on('message', (data) => {
    typed.push(data as Buffer);
    ear.happened([]);
  });
  viewing.type('é'.repeat(40_000));
  await ear.until(() => Buffer.concat(typed).length >= 80_000);
  assert.ok(Buffer.concat(typed).toString() === 'é'.repeat(40_000) && typed.every((each) => each.length <= 65_536));
  coming = peer.next();
  socket.terminate();
  await ear.until(() => said.includes('[off]'));
  viewing.type('lost');
  socket = await coming;
  socket.send(Buffer.from('again'));
  await ear.until(() => said.includes('again'));
  socket.send(JSON.stringify({ gone: 'It ended.' }));
  await ear.until(() => said.includes('[over It ended.]'));
  assert.equal(peer.asked.length, 2);
});
