import type { AgentView, Kanban, ReviewView, StatusView, TypeView } from '../protocol';
import type { Api } from './api';

/** What a daemon says about everything, read at about the same time. */
export interface World {
  readonly status: StatusView;
  readonly kanban: Kanban;
  /** Those that are not over, by id. */
  readonly agents: ReadonlyMap<string, AgentView>;
  /** Those that nobody has decided yet, oldest first. */
  readonly reviews: readonly ReviewView[];
  readonly types: ReadonlyMap<string, TypeView>;
}

export async function readWorld(api: Api): Promise<World> {
  const [status, kanban, agents, reviews, types] = await Promise.all([
    api.status(),
    api.kanban(),
    api.activeAgents(),
    api.pendingReviews(),
    api.issueTypes(),
  ]);
  return {
    status,
    kanban,
    agents: new Map(agents.agents.map((each) => [each.id, each])),
    reviews: [...reviews.reviews].sort((one, other) => one.id - other.id),
    types: new Map(types.issuetypes.map((each) => [each.name, each])),
  };
}

/** Runs a job again and again on demand: one at a time, and however often it is asked for meanwhile, once more. */
export class Coalesced {
  private running = false;
  private wanted = false;

  constructor(private readonly job: () => Promise<void>) {}

  ask(): void {
    this.wanted = true;
    if (!this.running) {
      void this.run();
    }
  }

  private async run(): Promise<void> {
    this.running = true;
    try {
      while (this.wanted) {
        this.wanted = false;
        await this.job();
      }
    } finally {
      this.running = false;
    }
  }
}
