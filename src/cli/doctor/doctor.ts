/** `doctor`: whether Redis is fit for results, and what to change. */
import { randomUUID } from 'node:crypto';
import { BackendError, CeleryError } from '../../errors.ts';
import { createKeys } from '../../keys.ts';
import type { Master } from '../../redis/driver.ts';
import { maskHosts, parseTopology, type Topology } from '../../redis/topology.ts';
import { type CommonFlags, type Config, readConfig, resolveConfig } from '../config.ts';
import { EXIT, type ExitCode, messageOf, UsageError } from '../exit-codes.ts';
import type { Printer } from '../io.ts';
import { secretsOf } from '../secrets.ts';
import { withServers } from '../servers.ts';
import { type Check, isRefusal } from './check.ts';
import { type Facts, readFacts } from './facts.ts';
import { namesOf, type Role } from './needs.ts';
import { checkPermissions } from './permissions.ts';
import { printCheck } from './report.ts';
import { checkRoundTrip } from './round-trip.ts';
import { checkServer } from './server-checks.ts';

/** What the checks go by. */
interface Patient {
  readonly config: Config;
  readonly topology: Topology;
  readonly role: Role;
}

/** Runs every check, and prints each as it is done. @returns 0 when none fails, else 4 */
export async function examine(flags: CommonFlags, printer: Printer, role: Role): Promise<ExitCode> {
  let failed = false;
  for await (const check of checks(flags, printer, role)) {
    failed ||= check.status === 'fail';
    await printCheck(printer, check);
  }
  return failed ? EXIT.backend : EXIT.success;
}

async function* checks(flags: CommonFlags, printer: Printer, role: Role): AsyncGenerator<Check, void, undefined> {
  let patient: Patient;
  try {
    const config = readConfig(flags, printer.io);
    printer.hide(secretsOf(config.url));
    const { connectionDefaults, sentinel } = resolveConfig(config);
    patient = { config, topology: parseTopology(config.url, connectionDefaults, sentinel), role };
  } catch (error) {
    if (!(error instanceof CeleryError || error instanceof UsageError)) throw error;
    const means = 'nothing can be reached by this configuration';
    yield { check: 'url', status: 'fail', found: messageOf(error), means, change: 'correct what it names' };
    return;
  }
  yield checkUrl(patient);
  try {
    yield* checkRedis(patient);
  } catch (error) {
    if (!(error instanceof CeleryError)) throw error;
    yield outage(error);
  }
}

async function* checkRedis(patient: Patient): AsyncGenerator<Check, void, undefined> {
  const queue: Check[] = [];
  // A generator cannot be resumed from within a callback, so that the checks of one visit come together.
  const reached = await withServers(patient.config, async ({ connect, ping, masters }) => {
    try {
      await connect();
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      queue.push(outage(error));
      // Without PING the rest can still be looked at.
      if (!isRefusal(error) || isLogin(error)) return false;
    }
    queue.push(await checkReach(ping));
    const servers = await masters();
    for (const server of servers) queue.push(...(await checkMaster(patient, server, servers.length > 1)));
    return true;
  });
  yield* queue;
  if (!reached) return;
  if (patient.role === 'both') yield forUser(await checkRoundTrip(patient.config), patient.topology.target.username);
  else {
    const found = `a ${patient.role} has half of the permissions that it takes`;
    yield { check: 'round-trip', status: 'unknown', found, means: 'a result cannot be sent and awaited by this user' };
  }
}

function checkUrl({ config, topology }: Patient): Check {
  const check = 'url';
  const kinds = { server: 'one server', sentinel: 'the master that sentinels name', cluster: 'a cluster' };
  const found = `${maskHosts(config.url)}, ${kinds[topology.kind]}`;
  const { tls, host, path, password } = topology.target;
  if (tls && !tls.verify) {
    const means = 'anyone on the way can pretend to be Redis, and gets the password';
    return { check, status: 'warn', found, means, change: 'drop ssl_cert_reqs=none, and give ssl_ca_certs=<file>' };
  }
  const isLocal = path !== undefined || /^(localhost|127\..*|::1)$/.test(host ?? '');
  if (!tls && !isLocal && topology.kind === 'server' && password !== undefined) {
    const means = 'the password and every result cross the network in clear';
    return { check, status: 'warn', found, means, change: 'write rediss:// where Redis has TLS' };
  }
  return { check, status: 'ok', found, means: 'it can be read' };
}

async function checkReach(ping: () => Promise<number>): Promise<Check> {
  const check = 'reach';
  try {
    const times = [await ping(), await ping(), await ping()];
    return { check, status: 'ok', found: `PING took ${Math.min(...times).toFixed(2)} ms`, means: 'Redis answers' };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { check, status: 'ok', found: 'PING is refused', means: 'Redis answers' };
  }
}

async function checkMaster(patient: Patient, server: Master, several: boolean): Promise<readonly Check[]> {
  const { config, topology, role } = patient;
  const facts = await readFacts(server);
  const user = facts.user ?? topology.target.username;
  const names = namesOf(createKeys(resolveConfig(config).globalKeyprefix), `doctor-${randomUUID()}`);
  const question = { role, names, cluster: topology.kind === 'cluster', user };
  const found = [
    checkLogin(facts, topology),
    ...(await checkPermissions(server, question)),
    ...checkServer(facts, topology.kind),
  ];
  const node = several ? server.address : undefined;
  return found.map((each) => ({ ...forUser(each, user), node }));
}

/** The commands with the name of the user in them. */
function forUser(check: Check, user = 'default'): Check {
  return { ...check, change: check.change?.replaceAll('<user>', user) };
}

function checkLogin({ user, open }: Facts, { target }: Topology): Check {
  const check = 'login';
  const name = user ?? target.username ?? 'default';
  if (open || (name === 'default' && target.password === undefined)) {
    const means = 'whoever reaches this port may do anything';
    const change = 'CONFIG SET requirepass <password>, or a user of its own by docs/security.md';
    return { check, status: 'warn', found: `user ${name}; user default needs no password`, means, change };
  }
  return { check, status: 'ok', found: `user ${name}`, means: 'Redis took the login' };
}

function outage(error: CeleryError): Check {
  const found = messageOf(error);
  if (error instanceof BackendError && isLogin(error)) {
    const means = 'nothing works before the login is right';
    const change = 'correct user and password in the URL; ACL SETUSER <user> ><password> sets one';
    return { check: 'login', status: 'fail', found, means, change };
  }
  if (isRefusal(error)) {
    const change = /\(allow it: ([^)]*)\)/.exec(found)?.[1];
    return { check: 'reach', status: 'fail', found, means: 'Redis answers, and refuses', change };
  }
  const means = 'stores are tried again, reads fail, and waits go on until it is back';
  return { check: 'reach', status: 'fail', found, means, change: 'start Redis, or correct host and port in the URL' };
}

function isLogin({ message }: BackendError): boolean {
  return message.includes('refused the login');
}
