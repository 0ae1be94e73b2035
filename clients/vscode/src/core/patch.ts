/** From a patch to the two sides that a diff editor shows. Pure but for the reader that it is given. */

import { applyPatch, parsePatch, reversePatch, type StructuredPatch } from 'diff';

/** One file that differs. */
export interface Changed {
  readonly path: string;
  /** Undefined: it was not there. */
  readonly before: string | undefined;
  /** Undefined: it is not there any more. */
  readonly after: string | undefined;
  /** Whether only the places that differ are known, not the whole file. */
  readonly partial: boolean;
}

/** Reads a file as it is now, by its path in the worktree; undefined where it cannot be read. */
export type Reader = (path: string) => Promise<string | undefined>;

export const MOST_FILES = 500;

/** The files that a patch changes, at most MOST_FILES of them. */
export async function changedFiles(patch: string, read: Reader): Promise<Changed[]> {
  const found: Changed[] = [];
  for (const each of parsePatch(patch).slice(0, MOST_FILES)) {
    const before = name(each.oldFileName);
    const after = name(each.newFileName);
    const path = after ?? before;
    if (path !== undefined) {
      found.push(await sides(each, path, before !== undefined, after !== undefined, read));
    }
  }
  return found;
}

function name(given: string | undefined): string | undefined {
  return given === undefined || given === '/dev/null' ? undefined : given.replace(/^[ab]\//, '');
}

async function sides(patch: StructuredPatch, path: string, was: boolean, is: boolean, read: Reader): Promise<Changed> {
  if (was && is) {
    const now = inside(path) ? await read(path) : undefined;
    const before = now === undefined ? false : applied(now, reversePatch(patch));
    if (now !== undefined && before !== false && patch.hunks.length > 0) {
      return { path, before, after: now, partial: false };
    }
  }
  return {
    path,
    before: was ? side(patch, '-') : undefined,
    after: is ? side(patch, '+') : undefined,
    partial: was && is,
  };
}

function applied(text: string, patch: StructuredPatch): string | false {
  try {
    return applyPatch(text, patch, { fuzzFactor: 0 });
  } catch {
    return false; // it is another file by now
  }
}

/** Whether a path leads to a file below the worktree. */
function inside(path: string): boolean {
  return !path.startsWith('/') && !/^[a-z]:/i.test(path) && !path.split(/[\\/]/).includes('..');
}

/** One side of what the patch itself holds. */
function side(patch: StructuredPatch, sign: '-' | '+'): string {
  if (patch.hunks.length === 0) {
    return 'Its content is not shown: it is binary, or only its name or mode differs.\n';
  }
  const parts = patch.hunks.map((hunk) => {
    const kept = hunk.lines.filter((line) => line.startsWith(sign) || line.startsWith(' '));
    return kept.map((line) => `${line.slice(1)}\n`).join('');
  });
  return parts.join('⋯\n');
}
