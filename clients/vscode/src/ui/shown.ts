import * as vscode from 'vscode';
import { shownReview } from '../core/tabs';
import type { ReviewView } from '../protocol';
import type { Hub } from './hub';

/** The review that the active editor shows, for the buttons in its title. */
export class Shown implements vscode.Disposable {
  private readonly parts: vscode.Disposable;

  constructor(private readonly hub: Hub) {
    const tell = (): void => {
      void vscode.commands.executeCommand('setContext', 'operator.shown', this.review?.kind ?? '');
    };
    tell();
    const { onDidChangeTabs, onDidChangeTabGroups } = vscode.window.tabGroups;
    this.parts = vscode.Disposable.from(onDidChangeTabs(tell), onDidChangeTabGroups(tell), hub.onDidChange(tell));
  }

  get review(): ReviewView | undefined {
    const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
    const open = this.hub.world?.reviews ?? [];
    return tab === undefined ? undefined : shownReview(tab.label, pathOf(tab.input), open);
  }

  dispose(): void {
    this.parts.dispose();
  }
}

function pathOf(input: unknown): string | undefined {
  return input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom ? input.uri.path : undefined;
}
