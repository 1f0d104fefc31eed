import { z } from 'zod'
import { AttestationError } from './attestation-error.ts'

/** Parts of the signed JSON of Intel's collateral (PCS API v4). */
const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${bytes * 2}}$`))
    .transform((text) => text.toLowerCase())
const dateMs = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .transform((text, context) => {
    const ms = Date.parse(text)
    if (Number.isFinite(ms)) return ms
    context.addIssue({ code: 'custom', message: 'no date' })
    return z.NEVER
  })
const svn = z.int().min(0).max(255)
const status = z.string().min(1).max(64)
const level = {
  tcbDate: dateMs,
  tcbStatus: status,
  advisoryIDs: z
    .array(z.string().regex(/^[\w-]{1,40}$/))
    .max(256)
    .default([]),
}
const isvLevels = z
  .array(z.object({ tcb: z.object({ isvsvn: z.int().min(0).max(65_535) }), ...level }))
  .min(1)
  .max(64)
const dates = { issueDate: dateMs, nextUpdate: dateMs, tcbEvaluationDataNumber: z.int().min(0) }
const module = { mrsigner: hex(48), attributes: hex(8), attributesMask: hex(8) }
const components = z.array(z.object({ svn })).length(16)

const tcbInfo = z.object({
  id: z.literal('TDX'),
  version: z.literal(3),
  ...dates,
  fmspc: hex(6),
  pceId: hex(2),
  tcbType: z.literal(0),
  tdxModule: z.object(module),
  tdxModuleIdentities: z
    .array(z.object({ id: z.string().regex(/^TDX_[0-9A-F]{2}$/), ...module, tcbLevels: isvLevels }))
    .max(64)
    .default([]),
  tcbLevels: z
    .array(
      z.object({
        tcb: z.object({ sgxtcbcomponents: components, pcesvn: z.int().min(0).max(65_535), tdxtcbcomponents: components }),
        ...level,
      }),
    )
    .min(1)
    .max(256),
})

const qeIdentity = z.object({
  id: z.literal('TD_QE'),
  version: z.literal(2),
  ...dates,
  miscselect: hex(4),
  miscselectMask: hex(4),
  attributes: hex(16),
  attributesMask: hex(16),
  mrsigner: hex(32),
  isvprodid: z.int().min(0).max(65_535),
  tcbLevels: isvLevels,
})

/** What Intel says about a model of processor (`/tdx/certification/v4/tcb`). Dates are Unix ms, byte strings lower-case hex. */
export type TcbInfo = z.infer<typeof tcbInfo>
/** What Intel says about the quoting enclave of TDX (`/tdx/certification/v4/qe/identity`). */
export type QeIdentity = z.infer<typeof qeIdentity>
/** What a level of either says. */
export interface TcbLevel {
  readonly tcbDate: number
  readonly tcbStatus: string
  readonly advisoryIDs: readonly string[]
}

/** @throws AttestationError `collateral-malformed` */
export function readTcbInfo(json: string): TcbInfo {
  return read('information about the platform', () => tcbInfo.parse(JSON.parse(json)))
}

/** @throws AttestationError `collateral-malformed` */
export function readQeIdentity(json: string): QeIdentity {
  return read('identity of the quoting enclave', () => qeIdentity.parse(JSON.parse(json)))
}

function read<T>(what: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new AttestationError('collateral-malformed', `Intel’s ${what} cannot be read`, { cause })
  }
}
