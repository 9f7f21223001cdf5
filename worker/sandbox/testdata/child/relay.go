package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"syscall"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
)

// copyUpper reads an object through descriptor 3 and writes another one; or
// dies before that is committed.
func copyUpper(die bool) error {
	ctx := context.Background()
	token, err := hex.DecodeString(os.Getenv("TOKEN"))
	if err != nil {
		return err
	}
	conn, err := relay.Inherited(os.NewFile(3, "relay"))
	if err != nil {
		return err
	}
	c, err := relay.Connect(ctx, conn, token)
	if err != nil {
		return err
	}
	defer c.Close()
	root, err := c.Open(ctx, "job", store.Options{})
	if err != nil {
		return err
	}
	body, err := root.Get(ctx, "in", 16<<20)
	if err != nil {
		return err
	}
	w, err := root.Create(ctx, "out/x", store.CreateOptions{IfAbsent: true})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(bytes.ToUpper(body)); err != nil {
		return err
	}
	if die {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err := w.Commit(); err != nil {
		return err
	}
	_, err = root.Get(ctx, "theirs", 100)
	fmt.Println("theirs:", err)
	return nil
}
