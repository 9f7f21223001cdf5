package s3test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/windrow-mr/windrow/store/internal/testserver"
)

func minio() testserver.Tool {
	return testserver.GoTool("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c")
}

func rclone() testserver.Tool {
	return testserver.GoTool("rclone", "github.com/rclone/rclone", "v1.75.1")
}

// InstallAll builds all servers of this package unless they are in the cache,
// and returns their paths. The first build takes minutes.
func InstallAll(ctx context.Context) (programs []string, err error) {
	for _, tool := range []testserver.Tool{versitygw(), minio(), rclone()} {
		program, err := testserver.Install(ctx, tool)
		if err != nil {
			return programs, err
		}
		programs = append(programs, program)
	}
	return programs, nil
}

// StartMinio starts minio for the rest of the test.
func StartMinio(t testing.TB) *Server {
	t.Helper()
	program, dir := install(t, minio()), t.TempDir()
	address := testserver.Start(t, testserver.Server{
		Program: program,
		Args:    func(address string) []string { return []string{"server", "--address", address, "--quiet", dir} },
		Env: []string{
			"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		},
		Path: "/", Ready: answersXML,
	})
	s := server(address, dir)
	s.makeBucket(t, s.Bucket)
	return s
}

// StartRclone starts rclone's S3 server for the rest of the test. It accepts
// the condition of create-once and ignores it.
func StartRclone(t testing.TB) *Server {
	t.Helper()
	program, dir := install(t, rclone()), directory(t)
	address := testserver.Start(t, testserver.Server{
		Program: program,
		Args: func(address string) []string {
			return []string{"serve", "s3", "--config", "", "--addr", address, "--auth-key", accessKey + "," + secretKey, dir}
		},
		Path: "/", Ready: answersXML,
	})
	return server(address, dir)
}

// makeBucket makes a bucket, waiting for a server that answers and is not ready
// for it.
func (s *Server) makeBucket(t testing.TB, bucket string) {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 10,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
		}),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("make a bucket: %v", err)
	}
}
