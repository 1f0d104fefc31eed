import { Failure } from '../base/failure.ts'

/** What a model is called on the network (architecture, "Model identity of a GGUF"). */
export interface ModelIdentity {
  /** `repo/file-quant`: proxies index by it, so the quantization is part of it. */
  readonly baseName: string
  /** `repo/file-quant@commit:sha256`. */
  readonly fullName: string
}

/** Where a file comes from. Models added by hand come from nowhere that others could look at. */
export interface ModelOrigin {
  readonly repo: string
  readonly commit: string
}
export const ownOrigin: ModelOrigin = { repo: 'own', commit: 'local' }

/**
 * @param file name of the GGUF file, with or without its quantization
 * @param sha256 of the file in hex
 */
export function modelIdentity(origin: ModelOrigin, file: string, quantization: string | null, sha256: string): ModelIdentity {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Failure('bad-identity', 'The hash of the model file is not known yet.')
  const baseName = baseNameOf(origin, file, quantization)
  return { baseName, fullName: `${baseName}@${plain(origin.commit)}:${sha256}` }
}

/** The name without commit and hash: known before the file was read in full. Parameters as of `modelIdentity`. */
export function baseNameOf({ repo }: Pick<ModelOrigin, 'repo'>, file: string, quantization: string | null): string {
  const quant = quantization ?? 'unknown'
  const bare = plain(file.replace(/\.gguf$/i, ''))
  const withoutQuant = bare.toLowerCase().endsWith(quant.toLowerCase())
    ? bare.slice(0, -quant.length).replace(/[-._]+$/, '')
    : bare
  return `${repo.split('/').map(plain).join('/')}/${withoutQuant}-${plain(quant)}`
}

/** `@`, `:` and `/` separate the parts of a name, and spaces end it. */
function plain(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._-]+/g, '_') || '_'
}
