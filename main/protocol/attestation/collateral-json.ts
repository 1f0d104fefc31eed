import { z } from 'zod'

const bytes = z.base64().transform((text): Uint8Array => new Uint8Array(Buffer.from(text, 'base64')))

/** Collateral as it stands in files: the two lists in base64. */
export const collateralSchema = z.strictObject({
  tcbInfo: z.string(),
  tcbInfoSignature: z.string(),
  tcbInfoChain: z.string(),
  qeIdentity: z.string(),
  qeIdentitySignature: z.string(),
  qeIdentityChain: z.string(),
  rootCrl: bytes,
  pckCrl: bytes,
})

/** The form that `collateralSchema` reads. */
export function collateralJson(collateral: z.output<typeof collateralSchema>): z.input<typeof collateralSchema> {
  const base64 = (part: Uint8Array): string => Buffer.from(part).toString('base64')
  return { ...collateral, rootCrl: base64(collateral.rootCrl), pckCrl: base64(collateral.pckCrl) }
}
