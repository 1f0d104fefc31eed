import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../../base/atomic-file.ts'
import type { Collateral } from './collateral.ts'
import type { Platform } from './pck-extension.ts'

/** Collateral and when it came. */
export interface KeptCollateral {
  readonly collateral: Collateral
  readonly fetchedAtMs: number
}

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const kept = z.strictObject({
  version: z.literal(1),
  fetchedAtMs: z.int().min(0),
  collateral: z.strictObject({
    tcbInfo: z.string(),
    tcbInfoSignature: z.string(),
    tcbInfoChain: z.string(),
    qeIdentity: z.string(),
    qeIdentitySignature: z.string(),
    qeIdentityChain: z.string(),
    rootCrl: bytes,
    pckCrl: bytes,
  }),
})

/** What was kept in a folder; undefined when there is nothing that can be read. All of it is public and signed by Intel. */
export function readKept(folder: string, platform: Pick<Platform, 'fmspc' | 'authority'>): KeptCollateral | undefined {
  try {
    return kept.parse(JSON.parse(readFileSync(fileOf(folder, platform), 'utf8')))
  } catch {
    return undefined
  }
}

/** @throws Failure `disk-full`, `write-failed` */
export function writeKept(
  folder: string,
  platform: Pick<Platform, 'fmspc' | 'authority'>,
  { collateral, fetchedAtMs }: KeptCollateral,
): void {
  const base64 = (part: Uint8Array): string => Buffer.from(part).toString('base64')
  const text = { ...collateral, rootCrl: base64(collateral.rootCrl), pckCrl: base64(collateral.pckCrl) }
  writeFileAtomic(fileOf(folder, platform), JSON.stringify({ version: 1, fetchedAtMs, collateral: text }))
}

function fileOf(folder: string, { fmspc, authority }: Pick<Platform, 'fmspc' | 'authority'>): string {
  if (!/^[0-9a-f]{12}$/.test(fmspc)) throw new TypeError('no model of processor')
  return join(folder, `tdx-${fmspc}-${authority}.json`)
}
