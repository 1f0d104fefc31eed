import { Failure } from './failure.ts'

/** The disk refused for now: what was told may be kept in memory until there is room. */
export const isDiskJam = (thrown: unknown): boolean =>
  thrown instanceof Failure && (thrown.code === 'disk-full' || thrown.code === 'database-busy')
