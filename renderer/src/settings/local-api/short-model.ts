/**
 * A model's name without its makers: `network/maker/series/model` as `network/model`. Of another program's the engine stays, `external/engine/model`: two
 * engines may have the same. The whole name is in the tooltip.
 */
export function shortModel(name: string | null): string {
  const parts = name?.split('/') ?? []
  const kept = parts[0] === 'external' ? 2 : 1
  return parts.length > kept + 1 ? [...parts.slice(0, kept), parts.at(-1)].join('/') : parts.join('/')
}
