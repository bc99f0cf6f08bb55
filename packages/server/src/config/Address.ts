/**
 * Where a listener binds.
 */

export interface Address {
  /** Empty for every interface. IPv6 without brackets. */
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
}

/** `host:port`, `[v6]:port` or `:port`; `undefined` for anything else. */
export const parseAddress = (text: string): Address | undefined => {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/u.exec(text)
  const port = Number(found?.[3])
  return found !== null && port <= 65_535 ? { host: found[1] ?? found[2] ?? "", port } : undefined
}

export const showAddress = (address: Address): string =>
  address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`

/** Whether a host name or address (brackets allowed) can only be reached from this machine. */
export const isLoopback = (host: string): boolean => {
  const bare = host.replace(/^\[(.*)\]$/u, "$1").toLowerCase()
  return bare === "localhost" || bare === "::1" || /^127(?:\.\d{1,3}){3}$/u.test(bare)
}
