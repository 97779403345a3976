/** The command line: commands, arguments and flags. */
import { createRequire } from 'node:module';
import { Command, Option } from 'commander';
import { forgetEach } from './commands/forget.ts';
import { showGroups } from './commands/group.ts';
import { list, type ListFlags } from './commands/ls.ts';
import { showMetas, showStatus } from './commands/read.ts';
import { waitForAll, type WaitFlags, watchAll } from './commands/wait.ts';
import { type CommonFlags, count, readConfig, seconds } from './config.ts';
import { type Role, ROLES } from './doctor/needs.ts';
import type { ExitCode } from './exit-codes.ts';
import { checkGiven } from './ids.ts';
import type { Printer } from './io.ts';
import { type Session, withSession } from './session.ts';

/** What the command line leads to. */
export interface Calls {
  /** Makes what prints. */
  readonly printer: (json: boolean) => Printer;
  /** Is told the exit code of the command that ran. */
  readonly ended: (code: ExitCode) => void;
  /** For a command that finds by itself what the backend warns of. */
  readonly ignoreWarnings: () => void;
  readonly writeOut: (text: string) => void;
  readonly writeErr: (text: string) => void;
}

const AFTER = `
Ids are arguments, or lines of standard input: in the place of "-", or of all arguments.

Exit codes: 0 success; 1 a task failed or was revoked, or a group is not there; 2 wrong usage; 3 timeout;
4 Redis, or what is in it, cannot be read, or a check of doctor failed; 130 interrupted.

The environment: CELERY_RESULT_BACKEND and the other variables of the package, from .env too; NO_COLOR.`;

/** The program; parsing it runs a command. @throws CommanderError after it has printed why */
export function createProgram(calls: Calls): Command {
  const program = new Command('celery-result')
    .description(
      'Looks at, awaits and forgets results of Celery tasks on Redis, and checks that Redis is fit for them.',
    )
    .version(version())
    .exitOverride()
    .configureOutput({ writeOut: calls.writeOut, writeErr: calls.writeErr })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', AFTER);
  addCommonOptions(program);
  addReads(program, calls);
  addWaits(program, calls);
  addGroups(program, calls);
  addList(program, calls);
  addDoctor(program, calls);
  return program;
}

function addCommonOptions(program: Command): void {
  program
    .option('-u, --url <url>', 'where results are (default: CELERY_RESULT_BACKEND, else redis://localhost:6379/0)')
    .option('-s, --serializer <name>', 'json, superjson, yaml or msgpack (default: json)')
    .option('--accept <names>', 'serializers that may be used, with commas between them', (text) => text.split(','))
    .option('--key-prefix <text>', 'what keys begin with: global_keyprefix of Celery')
    .option('--connect-timeout <seconds>', 'for making a connection (default: 5)', seconds('--connect-timeout'))
    .option('--command-timeout <seconds>', 'for one command of Redis (default: 5)', seconds('--command-timeout'))
    .option('--dotenv <path>', 'variables to read (default: .env, if it is there)')
    .option('--no-dotenv', 'read no such file')
    .option('--json', 'print JSON, one line an id');
}

function addReads(program: Command, calls: Calls): void {
  program
    .command('get [ids...]')
    .description('print results as they are now: id, state and value')
    .option('--value', 'print values alone')
    .action(async (ids: string[], { value }: { value?: boolean }, command: Command) => {
      await withIds(calls, command, ids, (session) => showMetas(session, ids, value === true));
    });
  program
    .command('status [ids...]')
    .description('print states as they are now')
    .action(async (ids: string[], _: object, command: Command) => {
      await withIds(calls, command, ids, (session) => showStatus(session, ids));
    });
}

function addWaits(program: Command, calls: Calls): void {
  const timeout = (): Option =>
    new Option('-t, --timeout <seconds>', 'for the whole command (default: none)').argParser(seconds('--timeout'));
  program
    .command('wait [ids...]')
    .description('print each result once it is ready; shows a progress bar on a terminal')
    .addOption(timeout())
    .option('--value', 'print values alone')
    .option('--no-progress', 'show no bar')
    .action(async (ids: string[], flags: WaitFlags, command: Command) => {
      await withIds(calls, command, ids, (session) => waitForAll(session, ids, flags));
    });
  program
    .command('watch [ids...]')
    .description('print every state that is seen, PROGRESS among them, until all are ready')
    .addOption(timeout())
    .option('--no-progress', 'show no bar')
    .action(async (ids: string[], flags: WaitFlags, command: Command) => {
      await withIds(calls, command, ids, (session) => watchAll(session, ids, flags));
    });
}

function addGroups(program: Command, calls: Calls): void {
  program
    .command('forget [ids...]')
    .description('delete results')
    .option('--groups', 'the ids are of saved groups; the results of their members stay')
    .action(async (ids: string[], { groups }: { groups?: boolean }, command: Command) => {
      await withIds(calls, command, ids, (session) => forgetEach(session, ids, groups === true));
    });
  program
    .command('group [ids...]')
    .description('print the members of saved groups with their states')
    .action(async (ids: string[], _: object, command: Command) => {
      await withIds(calls, command, ids, (session) => showGroups(session, ids));
    });
}

function addList(program: Command, calls: Calls): void {
  program
    .command('ls')
    .description('print the ids of the results that are there, in no order (SCAN)')
    .option('-m, --match <glob>', 'only ids like this, by the rules of Redis')
    .option('--state <names>', 'only these states, with commas between them; reads each result', (text) =>
      text.split(','),
    )
    .option('-l, --long', 'print states too; reads each result')
    .option('--groups', 'list saved groups instead')
    .option('-n, --limit <count>', 'how many at most', count('--limit'), 1000)
    .action(async (flags: ListFlags, command: Command) => {
      const config = readConfig(command.optsWithGlobals<CommonFlags>(), calls.printer(false).io);
      await inSession(calls, command, (session) => list(session, config, flags));
    });
}

function addDoctor(program: Command, calls: Calls): void {
  program
    .command('doctor')
    .description('check that Redis is fit for results, and say what to change')
    .addOption(
      new Option('--role <role>', 'what the user is for: permissions it does not need are not asked for')
        .choices(ROLES)
        .default('both' satisfies Role),
    )
    .action(async ({ role }: { role: Role }, command: Command) => {
      const flags = command.optsWithGlobals<CommonFlags>();
      calls.ignoreWarnings();
      const { examine } = await import('./doctor/doctor.ts');
      calls.ended(await examine(flags, calls.printer(flags.json === true), role));
    });
}

async function withIds(
  calls: Calls,
  command: Command,
  ids: readonly string[],
  work: (session: Session) => Promise<void>,
): Promise<void> {
  checkGiven(ids, calls.printer(false).io);
  await inSession(calls, command, work);
}

async function inSession(calls: Calls, command: Command, work: (session: Session) => Promise<void>): Promise<void> {
  const flags = command.optsWithGlobals<CommonFlags>();
  calls.ended(await withSession(flags, calls.printer(flags.json === true), work));
}

function version(): string {
  const { version: own } = createRequire(import.meta.url)('celery-redis-backend/package.json') as { version: string };
  return own;
}
