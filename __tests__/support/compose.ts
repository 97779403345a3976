/** docker-compose.yml without Docker: its services as processes of this machine, on free ports. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { freePort } from './redis.ts';
import { findCeleryPython } from './require-celery.ts';
import { findServer } from './require-redis.ts';

/** What is used here of a service. */
export interface Service {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly [kind: string, ...command: string[]] };
  readonly build?: { readonly dockerfile_inline: string };
  readonly ports?: readonly string[];
}

/** The services of the file. */
export function readServices(): Readonly<Record<string, Service>> {
  const file = load(readFileSync('docker-compose.yml', 'utf8')) as { services: Record<string, Service> };
  return file.services;
}

/** A text with its `${name:-default}` replaced, as compose does. */
export function interpolate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+):-([^}]*)\}/g, (_match, name: string, fallback: string) => variables[name] ?? fallback);
}

/** A service as a process, with all that it says. */
export class RunningService {
  readonly process: ChildProcess;
  output = '';

  constructor(process: ChildProcess) {
    this.process = process;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  /** Its exit code, once it has left and said everything. */
  async left(): Promise<number | null> {
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'close');
    return this.process.exitCode;
  }

  /** Asks it to leave, as `docker compose stop` does. */
  async stop(): Promise<number | null> {
    this.process.kill('SIGTERM');
    return this.left();
  }

  /** Kills it with the processes it made. */
  async kill(): Promise<void> {
    const { pid } = this.process;
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // All of them have left.
    }
    await this.left();
  }
}

/** The stack, each service started once what it depends on is as far as the file says. */
export class Stack implements AsyncDisposable {
  readonly port: number;
  readonly services: Readonly<Record<string, Service>> = readServices();
  readonly #variables: Readonly<Record<string, string>>;
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'celery-redis-stack-'));
  readonly #running = new Map<string, RunningService>();

  private constructor(port: number, variables: Readonly<Record<string, string>>) {
    this.port = port;
    const url = `redis://127.0.0.1:${port}/0`;
    this.#variables = { CELERY_BROKER_URL: url, CELERY_RESULT_BACKEND: url, ...variables };
  }

  /** @param variables - what would stand in `.env` */
  static async prepare(variables: Readonly<Record<string, string>> = {}): Promise<Stack> {
    if (!existsSync('dist/esm/index.js')) throw new Error('The examples run on dist: npm run build first.');
    return new Stack(await freePort(), variables);
  }

  /** The environment of a service. */
  environment(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.#service(name).environment ?? {});
    return Object.fromEntries(entries.map(([key, text]) => [key, interpolate(text, this.#variables)]));
  }

  /** Starts a service, after those it depends on; anew if it has left. */
  async start(name: string): Promise<RunningService> {
    const already = this.#running.get(name);
    if (already?.process.exitCode === null) return already;
    for (const [other, { condition }] of Object.entries(this.#service(name).depends_on ?? {})) {
      await this.start(other);
      if (condition === 'service_healthy') await this.becomesHealthy(other);
      else if (condition !== 'service_started') throw new Error(`condition ${condition} is not known here`);
    }
    const [command, ...args] = this.#native(this.#service(name).command);
    // A group of its own, so that what it forks can be killed with it.
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...this.environment(name) },
    });
    const service = new RunningService(child);
    this.#running.set(name, service);
    return service;
  }

  /** Runs the health check of a service, against the ports of this stack. */
  async isHealthy(name: string): Promise<boolean> {
    const [program, ...args] = this.#check(name);
    const env = { ...process.env, ...this.environment(name) };
    const check = spawn(program, args, { stdio: 'ignore', env });
    await once(check, 'exit');
    return check.exitCode === 0;
  }

  /** Resolves when a service that was started is healthy. */
  async becomesHealthy(name: string): Promise<void> {
    while (!(await this.isHealthy(name))) {
      const running = this.#running.get(name);
      if (running?.process.exitCode !== null) throw new Error(`${name} left: ${running?.output ?? ''}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const services = [...this.#running.values()];
    this.#running.clear();
    await Promise.all(services.map((service) => service.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #service(name: string): Service {
    const service = this.services[name];
    if (!service) throw new Error(`docker-compose.yml has no service ${name}`);
    return service;
  }

  /** The command of a health check as one of this machine. */
  #check(name: string): [string, ...string[]] {
    const [kind, ...command] = this.#service(name).healthcheck?.test ?? [];
    if (kind === 'CMD') return this.#native(command);
    const [line = ''] = command;
    if (kind !== 'CMD-SHELL' || !line.includes('redis-cli')) throw new Error(`no such health check: ${kind ?? ''}`);
    return ['sh', '-c', line.replace('redis-cli', `redis-cli -p ${this.port}`)];
  }

  /** A command of a container as one of this machine. */
  #native([program = '', ...args]: readonly string[]): [string, ...string[]] {
    switch (program) {
      case 'redis-server':
        return [findServer(), ...args, '--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
      case 'celery':
        return [findCeleryPython().command, '-m', 'celery', ...args];
      case 'node':
        return [process.execPath, ...args];
      default:
        throw new Error(`${program} is not known here`);
    }
  }
}

/** Runs a program in a folder with an environment. @returns what it printed */
export function runPython(code: string, folder: string, environment: Readonly<Record<string, string>>): string {
  const run = spawnSync(findCeleryPython().command, ['-c', code], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...environment },
  });
  if (run.status !== 0) throw new Error(`Python left with ${String(run.status)}: ${run.stderr}`);
  return run.stdout;
}
