/** What people write in an editor of their own before it is sent: a reason, or a ticket. Pure. */

export type Draft =
  | { readonly kind: 'reject'; readonly review: number; readonly agent: string }
  | { readonly kind: 'ticket'; readonly type: string };

const COMMENT = /<!--[\s\S]*?-->/g;
const REJECTION = /^Reject review ([0-9]{1,15}) of (\S+)\.md$/;
const TICKET = /^New (\S+) ticket \w+\.md$/;

/** The name of the file that a draft is written in; it says all there is to know about it. */
export function fileName(draft: Draft, unique: string): string {
  switch (draft.kind) {
    case 'reject':
      return `Reject review ${draft.review} of ${encodeURIComponent(draft.agent)}.md`;
    case 'ticket':
      return `New ${encodeURIComponent(draft.type)} ticket ${unique}.md`;
  }
}

/** Undefined for a file that somebody else put there. */
export function draftOf(name: string): Draft | undefined {
  const [, review, agent] = REJECTION.exec(name) ?? [];
  const [, type] = TICKET.exec(name) ?? [];
  try {
    if (review !== undefined && agent !== undefined) {
      return { kind: 'reject', review: Number(review), agent: decodeURIComponent(agent) };
    }
    return type === undefined ? undefined : { kind: 'ticket', type: decodeURIComponent(type) };
  } catch {
    return undefined;
  }
}

/** The text of a new draft; what stands in comments is not sent. */
export function reasonText(ticket: string, kind: string, title: string): string {
  const asked = `Why is the ${kind} of ${ticket} rejected? The agent is told what you write above.`;
  return `\n<!-- ${asked}\n${uncommented(title)}\nThe check mark in the editor's title sends it. -->\n`;
}

export function ticketText(type: string, title: string, body: string): string {
  const text = body === '' ? (TEMPLATES[type] ?? TEMPLATE) : body;
  const how = "its title stands after the #. The check mark in the editor's title creates it.";
  return `# ${title}\n\n<!-- A ${uncommented(type)} ticket: ${how} -->\n\n${text}\n`;
}

function uncommented(text: string): string {
  return text.replace(/-->/g, '-- >');
}

/** What of a reason is sent; empty if nothing was written. */
export function reason(text: string): string {
  return text.replace(COMMENT, '').trim();
}

/** A ticket's title and text; undefined while it has no title. */
export function ticket(text: string): { readonly title: string; readonly body: string } | undefined {
  const written = text.replace(COMMENT, '').trim();
  const [first = '', ...rest] = written.split('\n');
  const title = first.replace(/^#+/, '').trim();
  return title === '' ? undefined : { title, body: rest.join('\n').trim() };
}

/** A ticket about what is selected in an editor. */
export function aboutSelection(where: string, language: string, selected: string): { title: string; body: string } {
  const lines = selected.split('\n').map((each) => each.trim());
  const title = (lines.find((each) => each !== '') ?? where).slice(0, 80);
  const longest = Math.max(2, ...[...selected.matchAll(/`+/g)].map((each) => each[0].length));
  const fence = '`'.repeat(longest + 1);
  return { title, body: `About ${where}:\n\n${fence}${language}\n${selected}\n${fence}\n\nWhat is wanted: ` };
}

const TEMPLATE = 'What is wanted:\n\nWhat proves that it is done:';
const TEMPLATES: Readonly<Record<string, string>> = {
  FEAT: 'Who needs what, and why:\n\nWhat they see when it is there:\n\nWhat is not part of it:',
  FIX: 'What happens:\n\nWhat should happen:\n\nHow to see it:',
  TASK: TEMPLATE,
  SPIKE: 'The question:\n\nWhat would answer it:',
  INV: 'What was seen, when and where:\n\nWhat is suspected:',
};
