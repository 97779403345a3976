/** The Chromium of this machine. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const ON_MACOS = '/Applications/Chromium.app/Contents/MacOS/Chromium';

/** Starts it, without a window. */
export async function startChromium(): Promise<Browser> {
  const named = process.env['CHROMIUM'];
  const names = named === undefined || named === '' ? NAMES : [named];
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const files = [...names.flatMap((name) => folders.map((folder) => resolve(join(folder, name)))), ON_MACOS];
  const executablePath = named?.includes('/') ? named : files.find(isExecutable);
  if (executablePath === undefined) throw new Error('There is no Chromium: npm run setup:browser installs one.');
  // A container has little shared memory, and root has no sandbox.
  return chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-dev-shm-usage'],
  });
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
