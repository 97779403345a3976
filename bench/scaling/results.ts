/** The file of what was measured: `bench/results/scaling.json`. */
import type { BusFigures } from './pieces/bus.ts';
import type { ClusterFigures } from './pieces/cluster.ts';
import type { MemoryFigures } from './pieces/memory.ts';
import type { MixedFigures } from './pieces/mixed.ts';
import type { StoreFigures } from './pieces/stores.ts';
import type { WaitFigures } from './pieces/waits.ts';

/** Figures, with the date and the machine. */
export interface Piece<Figures> {
  readonly where: Readonly<Record<string, string>>;
  readonly figures: Figures;
}

/** All pieces. */
export interface Results {
  readonly stores: Piece<StoreFigures>;
  readonly waits: Piece<WaitFigures>;
  readonly memory: Piece<MemoryFigures>;
  readonly cluster: Piece<ClusterFigures>;
  readonly bus: Piece<BusFigures>;
  readonly mixed: Piece<MixedFigures>;
}

export type PieceName = keyof Results;
