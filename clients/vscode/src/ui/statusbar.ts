import * as vscode from 'vscode';
import { bar } from '../core/bar';
import type { Hub } from './hub';

/** Paused, running and waiting, in the status bar; a click offers what can be done about the queue. */
export function statusBar(hub: Hub): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('operator', vscode.StatusBarAlignment.Left, 50);
  item.name = 'Operator';
  item.command = 'operator.menu';
  const show = (): void => {
    const { text, tooltip, tone } = bar(hub.state, hub.world);
    item.text = text;
    item.tooltip = new vscode.MarkdownString().appendText(tooltip);
    item.backgroundColor =
      tone === 'warning' ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    item.show();
  };
  show();
  return vscode.Disposable.from(item, hub.onDidChange(show));
}
