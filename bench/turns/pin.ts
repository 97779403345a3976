/** Processors for threads, by taskset, on Linux: so that how long a turn is does not depend on who else runs. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Has all threads of this process, and the processes that it starts from now on, share the last processor. */
export function share(): void {
  taskset(-1, '--all-tasks');
}

/** The same, but that its main thread has the first processor for itself. */
export function standApart(): void {
  share();
  taskset(0);
}

function taskset(place: 0 | -1, ...options: string[]): void {
  if (process.platform !== 'linux') return;
  // Those of the machine or the container: this process's own are fewer once it was given one.
  const allowed = /^Cpus_allowed_list:(.*)$/m.exec(readFileSync('/proc/1/status', 'utf8'))?.[1] ?? '';
  const processor = allowed.match(/\d+/g)?.at(place) ?? '0';
  execFileSync('taskset', [...options, '--cpu-list', '--pid', processor, String(process.pid)]);
}
