/** What run, workers, questions and competitors agree on. */
import type { Redis } from 'ioredis';
import type { Sample } from './sample.ts';

/** One process's end of a competitor. Durations are seconds. */
export interface Peer {
  /** Stores a SUCCESS and announces it, as this competitor does. */
  store(taskId: string, sample: Sample): Promise<unknown>;
  /** The result, read from the server. */
  read(taskId: string): Promise<unknown>;
  /** The result, as soon as there is one. Without `timeout` there is no limit. */
  wait(taskId: string, timeout?: number): Promise<unknown>;
  /** A round trip on the connection that reads. */
  ping(): Promise<unknown>;
  close(): Promise<void>;
  /** What `wait` answers from memory, once `learn` has seen it. */
  readonly memory?: Memory;
  /** Readies tasks in the storing process, where a competitor can only store what it has taken. */
  adopt?(taskIds: readonly string[]): Promise<void>;
  /** `store` in a way that wakes this competitor's own waiters, where `store` does not. */
  announce?(taskId: string, sample: Sample): Promise<unknown>;
  /** Stores all at once. Without it, the bytes that Celery stores go to the server in one write. */
  announceAll?(taskIds: readonly string[]): Promise<unknown>;
  /** Called after each round: lets go of what would burden the rounds of others. */
  rest?(): Promise<void>;
}

/** Known results. */
export interface Memory {
  known(taskId: string): Promise<unknown>;
  learn(taskId: string): Promise<unknown>;
}

/** A round of a question, asked in a competitor's own way. */
export type Round = (bench: Bench) => Promise<readonly number[]>;

/** Something that stores and awaits results. */
export interface Competitor {
  readonly name: string;
  /** Whether it stores the very bytes that Celery does, which is checked. */
  readonly celery: boolean;
  /** What part of the usual calls a round makes, so that slow ones do not take all the time. 1 unless given. */
  readonly share?: number;
  /** How many waits it can have at once. No limit unless given. */
  readonly atOnce?: number;
  /** Keys that the server looks up for a wait. 1 unless given. */
  readonly lookups?: number;
  /** The questions that it cannot answer, by name or family, and why. */
  readonly cannot: Readonly<Record<string, string>>;
  /** Packages that it consists of, of which it stands in the first. */
  readonly packages?: readonly [string, ...string[]];
  /** A program that prints the milliseconds from before its import until its first answer; the port is its argument. */
  readonly firstAnswer: Program;
  /** Rounds that another language answers, by question or family. */
  readonly rounds?: Readonly<Record<string, Round>>;
  /** What another language does as the storing process, by question or family. */
  readonly assists?: Readonly<Record<string, (peer: Peer, taskIds: readonly string[]) => Promise<void>>>;
  /** Why it is not there at all, such as an interpreter that is missing. */
  absent?(): string | undefined;
  /** @param idle - whether there is never more than one command to send at once */
  open(port: number, idle: boolean): Promise<Peer>;
}

/** A program and its interpreter. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** A measured quantity. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** What the floor is, where it is not the competitor of that name. */
  readonly floor?: string;
}

/** What a round works with. */
export interface Bench {
  readonly competitor: Competitor;
  /** The name of the question. */
  readonly question: string;
  readonly peer: Peer;
  readonly port: number;
  /** Whether a short look will do. */
  readonly quick: boolean;
  /** A client that counts, and is no part of what is measured. */
  readonly admin: Redis;
  /** Has the storing process, which questions with `assist` have, do its part. Resolves to the numbers it returns, if any. */
  readonly assist: (taskIds: readonly string[]) => Promise<readonly number[]>;
  /** Has a process of its own store and announce results of other tasks, so many a second. 0 ends it: those a second. */
  readonly load: (rate: number) => Promise<number>;
}

/** One question. A round answers with one number for each figure, NaN where a competitor has no answer. */
export interface Question {
  readonly name: string;
  readonly figures: readonly Figure[];
  /** See {@link Competitor.open}. */
  readonly idle?: boolean;
  /** So many rounds at most; 1 has no round that warms up. */
  readonly rounds?: number;
  /** Whether all competitors are asked at the same time, each on a server of its own. */
  readonly together?: boolean;
  /** Whether it is left out of a quick run. */
  readonly long?: boolean;
  /** Runs once in each process that measures. */
  prepare?(bench: Bench): Promise<void>;
  round(bench: Bench): Promise<readonly number[]>;
  /** What the storing process does. */
  assist?(peer: Peer, taskIds: readonly string[], port: number): Promise<unknown>;
}

/** What belongs to a question, by its name or its family: `wake` is the family of `wake-1k`. */
export function ofQuestion<T>(table: Readonly<Record<string, T>> | undefined, question: string): T | undefined {
  return table?.[question] ?? table?.[familyOf(question)];
}

/** The name up to its first hyphen. */
export function familyOf(question: string): string {
  return question.split('-')[0] ?? question;
}

/** How many calls of `usual` a round of this competitor makes. */
export function callsOf({ competitor, quick }: Pick<Bench, 'competitor' | 'quick'>, usual: number): number {
  return Math.max(1, Math.round(usual * (competitor.share ?? 1) * (quick ? 0.5 : 1)));
}
