import { z } from 'zod'
import { timeMs, words } from './scalars.ts'

/** A sentence of the core in English, and the words of it for other languages. */
export const sentence = z.object({ text: z.string(), words: words.optional() })
export type Sentence = z.infer<typeof sentence>

/** `not-checked`: nobody checked it, and the row says so. It is never shown as good. */
export const checkResult = z.enum(['passed', 'failed', 'not-checked'])

/**
 * Who checked it. `here`: code on this computer, on the connection in use. `version`: true by how this version of the app is built, not by a look at
 * this connection. `sealed-proxy`, `sealed-worker`: attested software says so, and this computer relies on it.
 */
export const checkedBy = z.enum(['here', 'version', 'sealed-proxy', 'sealed-worker'])
export type CheckedBy = z.infer<typeof checkedBy>

/** One row of the verification sheet (ui.md §3.4). */
export const checkRow = z.object({
  /** Stable name, e.g. `hardware`. Which rows a level needs is in main/chat/privacy/judge.ts. */
  id: z.string().max(60),
  result: checkResult,
  /** Absent where nobody checked. */
  by: checkedBy.optional(),
  statement: sentence,
  sentence,
})
export type CheckRow = z.infer<typeof checkRow>

/** One line of evidence; `value` is what the copy button gives, in full. */
export const evidenceItem = z.object({
  id: z.string().max(60),
  name: sentence,
  value: z.string().max(4096),
  /** `hash` is shown shortened, `mono` in a fixed pitch, `text` as it is. */
  form: z.enum(['hash', 'mono', 'text']),
})
export type EvidenceItem = z.infer<typeof evidenceItem>

/** What a check of one connection found. */
export const checkReport = z.object({
  /** Name of the connection that was checked; another one was not. */
  connection: z.string().max(400),
  checkedAtMs: timeMs,
  rows: z.array(checkRow).max(40),
  evidence: z.array(evidenceItem).max(40),
})
export type CheckReport = z.infer<typeof checkReport>

/**
 * The seal of a level (ui.md §3.3). `idle`: there is no connection to check. `aging`: the check is older than 10 minutes; it stands as long as its
 * connection, and the next message is checked again first.
 */
export const sealState = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('idle') }),
  z.object({ phase: z.literal('checking') }),
  z.object({ phase: z.literal('earned'), report: checkReport }),
  z.object({ phase: z.literal('aging'), report: checkReport }),
  /** `report` is absent when the check itself could not be made. */
  z.object({ phase: z.literal('failed'), reason: sentence, report: checkReport.optional() }),
])
export type SealState = z.infer<typeof sealState>

/**
 * Who could read a question at the Open network: `worker`, whoever the worker belongs to; `proxy-too`, whoever the proxy belongs to as well, where it cannot be
 * sealed past the proxy.
 */
export const openReaders = z.enum(['worker', 'proxy-too'])
export type OpenReaders = z.infer<typeof openReaders>

/** Who could read the next question at the Open network, by what the check found; while nothing was found, the most. */
export function openReadersOf(seal: SealState | undefined): OpenReaders {
  const rows = seal !== undefined && 'report' in seal ? (seal.report?.rows ?? []) : []
  return rows.some(({ id, result }) => id === 'sealed' && result === 'passed') ? 'worker' : 'proxy-too'
}
