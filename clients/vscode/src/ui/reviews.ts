import * as path from 'node:path';
import * as vscode from 'vscode';
import { OperatorError } from '../core/errors';
import { changedFiles } from '../core/patch';
import { artifactFolder, reviewName } from '../core/tabs';
import { human } from '../core/text';
import type { ArtifactView, ReviewView } from '../protocol';
import type { Documents } from './documents';
import type { Hub } from './hub';

/** A preview that shows this document for good, whatever editor is in front. */
const LOCKED = { locked: true };

/** Shows what a review is about, in the editor that is made for it. */
export class Shower {
  constructor(
    private readonly hub: Hub,
    private readonly documents: Documents,
    private readonly storage: vscode.Uri,
  ) {}

  /** Opens what decides a review. */
  async show(review: ReviewView): Promise<void> {
    switch (review.kind) {
      case 'plan':
        await this.preview(review, review.plan ?? '*The plan has no text.*');
        break;
      case 'visual':
        await this.visual(review);
        break;
      case 'pr':
        await this.changes(review.agent_id, reviewName(review));
        break;
      default:
        await this.preview(review, request(review));
    }
  }

  /** All that an agent changed, in VS Code's own diff editor. */
  async changes(agent: string, title: string): Promise<void> {
    const { api } = this.hub;
    const worktree = (await api.agent(agent)).worktree_path;
    const files = await changedFiles(await api.diff(agent), (file) => contentOf(worktree, file));
    if (files.length === 0) {
      throw new OperatorError(`${agent} has changed nothing.`);
    }
    const resources = files.map((each) => {
      const side = (name: string, text: string | undefined): vscode.Uri | undefined =>
        text === undefined ? undefined : this.documents.put(`/${each.path}`, text, `${title} ${name}`);
      const label = vscode.Uri.file(path.join(worktree ?? '/', each.path));
      return [label, side('before', each.before), side('after', each.after)];
    });
    await vscode.commands.executeCommand('vscode.changes', title, resources);
  }

  private async preview(review: ReviewView, text: string): Promise<void> {
    const uri = this.documents.put(`/${review.id}/${reviewName(review)}.md`, text);
    await vscode.commands.executeCommand('markdown.showPreview', uri, undefined, LOCKED);
  }

  private async visual(review: ReviewView): Promise<void> {
    for (const [index, each] of review.artifacts.entries()) {
      if (each.url !== null && /^https?:/i.test(each.url)) {
        await vscode.env.openExternal(vscode.Uri.parse(each.url, true)); // VS Code asks before it leaves
      } else {
        await this.artifact(review, each, index);
      }
    }
  }

  /** Images open in tabs, pages and texts as texts: none of them runs. */
  private async artifact(review: ReviewView, artifact: ArtifactView, index: number): Promise<void> {
    if (artifact.url === null) {
      return;
    }
    const content = await this.hub.api.artifact(artifact.url);
    const name = (artifact.name.split(/[\\/]/).at(-1) ?? '').replace(/[^\w. -]/g, '_').slice(-120);
    const uri = vscode.Uri.joinPath(this.storage, artifactFolder(review.id), String(index), name || 'artifact');
    await vscode.workspace.fs.writeFile(uri, content);
    const options: vscode.TextDocumentShowOptions = { preview: false, preserveFocus: true };
    await vscode.commands.executeCommand('vscode.open', uri, options, reviewName(review));
  }
}

async function contentOf(worktree: string | null, file: string): Promise<string | undefined> {
  if (worktree === null) {
    return undefined;
  }
  try {
    const content = await vscode.workspace.fs.readFile(vscode.Uri.file(path.join(worktree, file)));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined; // gone, elsewhere or binary: the patch says what it can
  }
}

/** A permission or a question, to be read at leisure. */
function request(review: ReviewView): string {
  const lines = [`# ${escaped(review.title)}`, `${review.ticket_id}, for ${human(review.waited)}`];
  if (review.command !== null) {
    lines.push(fenced(review.command));
  } else if (review.tool_input !== null) {
    lines.push(fenced(review.tool_input));
  }
  for (const question of review.questions) {
    lines.push(`**${escaped(question.text)}**`);
    lines.push(question.options.map((each) => `- ${escaped(each.label)} ${escaped(each.description)}`).join('\n'));
  }
  if (review.note !== null) {
    lines.push(`*${escaped(review.note)}*`);
  }
  return `${lines.join('\n\n')}\n`;
}

function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+!<>|~-]/g, '\\$&').replace(/\s+/g, ' ');
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((each) => each[0].length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
