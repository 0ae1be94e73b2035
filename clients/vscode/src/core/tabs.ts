/** Which review an editor tab shows. Pure. */

/** What is needed of a review to know its tabs. */
export interface Named {
  readonly id: number;
  readonly kind: string;
  readonly ticket_id: string;
}

/** What the document or editor is called by which a review is shown. */
export function reviewName(review: Named): string {
  return `${review.ticket_id} ${review.kind} ${review.id}`;
}

/** The folder of a review's artifacts, as part of their paths. */
export function artifactFolder(review: number): string {
  return `artifacts/${review}`;
}

/** By the tab's label, or the path of the file in it; `reviews` are those that wait for a verdict. */
export function shownReview<T extends Named>(
  label: string,
  path: string | undefined,
  reviews: readonly T[],
): T | undefined {
  return reviews.find((each) => {
    return named(label, reviewName(each)) || path?.includes(`/${artifactFolder(each.id)}/`) === true;
  });
}

/** VS Code puts words of its own before and behind: `Preview NAME.md`, `NAME (2 files)`. */
function named(label: string, name: string): boolean {
  const at = ` ${label}`.indexOf(` ${name}`);
  const behind = at < 0 ? undefined : label.slice(at + name.length);
  return behind === '' || behind === '.md' || behind?.startsWith(' (') === true;
}
