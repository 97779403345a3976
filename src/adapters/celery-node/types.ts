/** Clients and workers of celery-node, as far as the adapter needs them. Theirs fit; nothing of theirs is imported. */

/** A connection to a broker. */
export interface CeleryNodeBroker {
  isReady(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  publish(body: object, exchange: string, routingKey: string, headers: object, properties: object): Promise<unknown>;
}

/** What clients and workers have in common. */
export interface CeleryNodeBase {
  readonly conf: {
    readonly CELERY_BROKER: string;
    readonly CELERY_BROKER_OPTIONS: object;
    readonly CELERY_QUEUE: string;
  };
  readonly broker: CeleryNodeBroker;
  isReady(): Promise<unknown>;
  disconnect(): Promise<unknown>;
}

/** celery-node's `AsyncResult`. */
export interface CeleryNodeResult {
  taskId: string;
  get(timeout?: number, interval?: number): Promise<unknown>;
  result(): Promise<unknown>;
  status(): Promise<string | null>;
}

/** What a client makes of a call. */
export interface CeleryNodeMessage {
  readonly headers: object;
  readonly properties: object;
  readonly body: object;
}

/** celery-node's `Client`. */
export interface CeleryNodeClient extends CeleryNodeBase {
  readonly createTaskMessage: (taskId: string, taskName: string, args?: never[], kwargs?: object) => CeleryNodeMessage;
  asyncResult(taskId: string): CeleryNodeResult;
  sendTask(taskName: string, args?: never[], kwargs?: object, taskId?: string): CeleryNodeResult;
}

/** celery-node's `Worker`. */
export interface CeleryNodeWorker extends CeleryNodeBase {
  /** The tasks, by name. */
  readonly handlers: object;
  readonly activeTasks: Set<Promise<unknown>>;
}

/** A message as celery-node's brokers hand it to a worker. */
export interface CeleryNodeDelivery {
  /** The bytes of the body. */
  readonly body: Uint8Array;
  readonly headers: object | undefined;
  readonly properties: object | undefined;
}

/** The result backend that celery-node knows. */
export interface CeleryNodeBackend {
  isReady(): Promise<void>;
  disconnect(): Promise<void>;
  storeResult(taskId: string, result: unknown, state: string): Promise<void>;
  getTaskMeta(taskId: string): Promise<CeleryNodeMeta | null>;
}

/** A meta as celery-node reads it: a failure's `result` is its data, with the traceback. */
export interface CeleryNodeMeta {
  readonly status: string;
  readonly result: unknown;
  readonly traceback: string | null;
  readonly children: readonly unknown[];
  readonly task_id: string;
  readonly date_done: string | null;
}
