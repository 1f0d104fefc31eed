/** What this file needs of the engine's WebAssembly, which the types of Node do not describe. */
interface Table {
  get(index: number): unknown
}

declare const WebAssembly: { readonly Table: { readonly prototype: Table } }

/**
 * The emulator looks up every C++ function that may throw in its table, some thousand times for each transaction, and the
 * engine makes a new object each time. Entries of that table never change: remembered, a transaction takes a tenth less.
 * Must be called before the emulator starts; a second call in one process changes nothing.
 */
export function rememberTableEntries() {
  const { prototype } = WebAssembly.Table
  const { get } = prototype
  if (get.name === 'remembering') return
  prototype.get = function remembering(this: Table, index: number) {
    const entries: unknown[] = []
    const lookUp = (at: number) => {
      entries[at] ??= get.call(this, at)
      return entries[at]
    }
    Object.defineProperty(this, 'get', { value: lookUp })
    return lookUp(index)
  }
}
