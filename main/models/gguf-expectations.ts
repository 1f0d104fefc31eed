import { type List, type Values, valueTypes } from './gguf-values.ts'
import { BadHeader } from './header-reader.ts'

const { u32, i32, f32, bool, string, array } = valueTypes

/**
 * Properties that the native library reads as memory of a certain type, without looking. What is of another type there ends its process, or makes it
 * read beyond the end of a list.
 */
const scalars: Readonly<Record<string, readonly number[]>> = {
  'general.architecture': [string],
  'general.name': [string],
  'general.alignment': [u32],
  'general.file_type': [u32, i32],
  'tokenizer.ggml.model': [string],
  'tokenizer.ggml.pre': [string],
  'tokenizer.chat_template': [string],
  'tokenizer.ggml.add_bos_token': [bool],
  'tokenizer.ggml.add_eos_token': [bool],
  'tokenizer.ggml.add_space_prefix': [bool],
}
const lists: Readonly<Record<string, readonly number[]>> = {
  'tokenizer.ggml.tokens': [string],
  'tokenizer.ggml.merges': [string],
  'tokenizer.ggml.scores': [f32],
  'tokenizer.ggml.token_type': [u32, i32],
}

/** Throws `BadHeader` when a property that must be of a certain type is of another. `itemType`: of the items, once that is known. */
export function checkExpectedTypes(key: string, type: number, itemType?: number): void {
  const wrong = (): never => {
    throw new BadHeader(`Its property "${key}" is of a wrong type.`)
  }
  const scalar = Object.hasOwn(scalars, key) ? scalars[key] : undefined
  const list = Object.hasOwn(lists, key) ? lists[key] : undefined
  if (scalar !== undefined && !scalar.includes(type)) wrong()
  if (list !== undefined && (type !== array || (itemType !== undefined && !list.includes(itemType)))) wrong()
}

/** Scores and kinds of tokens are read by the number of the token: a list of another length is read beyond its end. */
export function checkTokenLists(values: Values): void {
  const list = (key: string): List | undefined => {
    const found = values.get(`tokenizer.ggml.${key}`)
    return typeof found === 'object' ? found : undefined
  }
  const tokens = list('tokens')
  for (const key of ['scores', 'token_type']) {
    const found = list(key)
    if (found !== undefined && found.items !== (tokens?.items ?? 0))
      throw new BadHeader(`It has ${tokens?.items ?? 0} tokens, but ${found.items} entries in "${key}".`)
  }
}
